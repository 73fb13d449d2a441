// Carries out operations, read as JSON from standard input, with basic-ftp.
const fs = require("fs");
const path = require("path");
const { Readable, Writable } = require("stream");
const ftp = require("basic-ftp");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// A stream of a file that passes no faster than the rate.
function throttled(op, start) {
  const source = fs.createReadStream(op.local, { start, highWaterMark: 8 * 1024 });
  async function* blocks() {
    const begun = Date.now();
    let sent = 0;
    for await (const block of source) {
      yield block;
      sent += block.length;
      await sleep(Math.max(0, (sent / op.rate) * 1000 - (Date.now() - begun)));
    }
  }
  return Readable.from(blocks());
}

function slowFile(op, start) {
  const file = fs.openSync(op.local, start > 0 ? "r+" : "w");
  const begun = Date.now();
  let at = start;
  return new Writable({
    highWaterMark: 8 * 1024,
    write(block, _, done) {
      fs.writeSync(file, block, 0, block.length, at);
      at += block.length;
      const ahead = ((at - start) / op.rate) * 1000 - (Date.now() - begun);
      setTimeout(done, Math.max(0, ahead));
    },
  });
}

const operations = {
  upload: (c, op) => c.uploadFrom(op.rate ? throttled(op, 0) : op.local, op.remote),
  async "resume-upload"(c, op) {
    const start = await c.size(op.remote);
    await c.appendFrom(op.rate ? throttled(op, start) : fs.createReadStream(op.local, { start }), op.remote);
  },
  download: (c, op) => c.downloadTo(op.rate ? slowFile(op, 0) : op.local, op.remote),
  async "resume-download"(c, op) {
    const start = fs.statSync(op.local).size;
    await c.downloadTo(op.rate ? slowFile(op, start) : op.local, op.remote, start);
  },
  rename: (c, op) => c.rename(op.remote, op.to),
  delete: (c, op) => c.remove(op.remote),
  mkdir: (c, op) => c.send("MKD " + op.remote),
  rmdir: (c, op) => c.removeEmptyDir(op.remote),
  async list(c, op) {
    for (const entry of await c.list(op.remote)) console.log(entry.name);
  },
  "mirror-up": (c, op) => c.uploadFromDir(op.local, op.remote),
  "mirror-down": (c, op) => c.downloadToDir(op.local, op.remote),
};

async function main() {
  const job = JSON.parse(fs.readFileSync(0, "utf8"));
  const client = new ftp.Client(30000);
  if (job.mode === "PASV") client.prepareTransfer = ftp.enterPassiveModeIPv4;
  if (job.mode === "EPSV") client.prepareTransfer = ftp.enterPassiveModeIPv6;
  const secure = job.tls !== "none";
  try {
    await client.access({
      host: job.host,
      port: job.port,
      user: job.user,
      password: job.password,
      secure: job.implicit ? "implicit" : secure,
      secureOptions: secure
        ? { ca: fs.readFileSync(job.ca), minVersion: "TLSv" + job.tls, maxVersion: "TLSv" + job.tls, servername: job.name === job.host ? undefined : job.name, host: job.name }
        : undefined,
    });
    for (const op of job.ops) await operations[op.kind](client, op);
  } finally {
    client.close();
  }
}

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});
