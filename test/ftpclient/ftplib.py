# Carries out operations, read as JSON from standard input, with ftplib.
import ftplib
import functools
import json
import os
import socket
import ssl
import sys
import time

BLOCK = 64 * 1024


def versions(tls):
    return {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]


class Resuming(ftplib.FTP_TLS):
    """Has data connections resume the TLS session of the control connection."""

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
        return conn, size


def implicit(ftp, job):
    """Connects to a port that speaks TLS from the first byte."""
    raw = socket.create_connection((job["host"], job["port"]), timeout=30)
    ftp.af = raw.family
    ftp.sock = ftp.context.wrap_socket(raw, server_hostname=job["name"])
    ftp.file = ftp.sock.makefile("r", encoding=ftp.encoding)
    ftp.welcome = ftp.getresp()


def connect(job):
    if job["tls"] == "none":
        ftp = ftplib.FTP()
    else:
        context = ssl.create_default_context(cafile=job["ca"])
        context.minimum_version = context.maximum_version = versions(job["tls"])
        ftp = (Resuming if job["resume"] else ftplib.FTP_TLS)(context=context)
    ftp.encoding = "utf-8"
    if job["dialogue"]:  # which ftplib prints, without the password, among what is asked for
        ftplib.print = functools.partial(print, file=sys.stderr)
        ftp.set_debuglevel(1)
    if job["implicit"]:
        implicit(ftp, job)
    else:
        ftp.connect(job["host"], job["port"], timeout=30)
    ftp.host = job["name"]  # what certificates are verified for
    ftp.set_pasv(job["mode"] != "Active")
    ftp.trust_server_pasv_ipv4_address = True
    if job["mode"] == "EPSV":
        ftp.makepasv = lambda: ftplib.parse229(ftp.sendcmd("EPSV"), ftp.sock.getpeername())
    ftp.login(job["user"], job["password"])
    if job["tls"] != "none":
        ftp.prot_p()
    return ftp


class Throttle:
    """Counts bytes and sleeps so that they do not pass faster than the rate."""

    def __init__(self, rate):
        self.rate, self.sent, self.start = rate, 0, time.monotonic()

    def passed(self, block):
        self.sent += len(block)
        if self.rate:
            ahead = self.sent / self.rate - (time.monotonic() - self.start)
            time.sleep(max(0, ahead))


def upload(ftp, job, resume):
    offset = None
    with open(job["local"], "rb") as source:
        if resume:
            ftp.voidcmd("TYPE I")
            offset = ftp.size(job["remote"])
            source.seek(offset)
        throttle = Throttle(job["rate"])
        size = 8 * 1024 if job["rate"] else BLOCK
        ftp.storbinary("STOR " + job["remote"], source, size, throttle.passed, offset)


def download(ftp, job, resume):
    offset = os.path.getsize(job["local"]) if resume else None
    throttle = Throttle(job["rate"])
    with open(job["local"], "ab" if resume else "wb") as target:

        def block(data):
            target.write(data)
            throttle.passed(data)

        size = 8 * 1024 if job["rate"] else BLOCK
        ftp.retrbinary("RETR " + job["remote"], block, size, offset)


def run(ftp, job):
    kind = job["kind"]
    if kind in ("upload", "resume-upload"):
        upload(ftp, job, kind == "resume-upload")
    elif kind in ("download", "resume-download"):
        download(ftp, job, kind == "resume-download")
    elif kind == "rename":
        ftp.rename(job["remote"], job["to"])
    elif kind == "delete":
        ftp.delete(job["remote"])
    elif kind == "mkdir":
        ftp.mkd(job["remote"])
    elif kind == "rmdir":
        ftp.rmd(job["remote"])
    elif kind == "list":
        for name, facts in ftp.mlsd(job["remote"]):
            if facts.get("type") not in ("cdir", "pdir"):
                print(name)


def main():
    job = json.load(sys.stdin)
    ftp = connect(job)
    for op in job["ops"]:
        run(ftp, op)
    ftp.quit()


sys.stdout.reconfigure(encoding="utf-8")
socket.setdefaulttimeout(30)
main()
