import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPClient;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPSClient;

/**
 * Carries out operations with commons-net. Standard input has a line for each
 * setting, "name value", and for each operation, "op kind local remote to rate";
 * every value is Base64.
 */
public class CommonsNet {
  /** Has data connections resume the TLS session of the control connection. */
  static class Resuming extends FTPSClient {
    private final SSLContext context;

    Resuming(boolean implicit, SSLContext context) {
      super(implicit, context);
      this.context = context;
    }

    /**
     * Java keeps sessions by host and port, and a TLS 1.3 ticket is good for one connection: the
     * newest ticket, of the control connection or the data connection before, is put where the
     * handshake on this port will look.
     */
    @Override
    protected void _prepareDataSocket_(Socket socket) throws IOException {
      if (!(socket instanceof SSLSocket)) {
        return;
      }
      try {
        Object sessions = context.getClientSessionContext();
        Method get = sessions.getClass().getDeclaredMethod("get", String.class, int.class);
        get.setAccessible(true);
        Field field = sessions.getClass().getDeclaredField("sessionHostPortCache");
        field.setAccessible(true);
        Object cache = field.get(sessions);
        Method put = cache.getClass().getMethod("put", Object.class, Object.class);
        put.setAccessible(true);
        String host = socket.getInetAddress().getHostAddress();
        Object session = get.invoke(sessions, host, lastPort == 0 ? _socket_.getPort() : lastPort);
        if (session != null) {
          put.invoke(cache, (host + ":" + socket.getPort()).toLowerCase(), session);
        }
        lastPort = socket.getPort();
      } catch (ReflectiveOperationException e) {
        throw new IOException("this Java does not allow it", e);
      }
    }

    private int lastPort;
  }

  static final Map<String, String> settings = new HashMap<>();
  static final List<String[]> operations = new ArrayList<>();

  static void read() throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", -1);
      for (int i = 1; i < words.length; i++) {
        words[i] = new String(Base64.getDecoder().decode(words[i]), StandardCharsets.UTF_8);
      }
      if (words[0].equals("op")) {
        operations.add(words);
      } else {
        settings.put(words[0], words[1]);
      }
    }
  }

  static SSLContext trust() throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    try (InputStream in = new FileInputStream(settings.get("ca"))) {
      int i = 0;
      for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        store.setCertificateEntry("ca" + i++, c);
      }
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, factory.getTrustManagers(), null);
    return context;
  }

  static FTPClient connect() throws Exception {
    boolean implicit = settings.get("implicit").equals("true");
    FTPClient ftp = new FTPClient();
    if (!settings.get("tls").equals("none")) {
      FTPSClient ftps =
          settings.get("resume").equals("true") ? new Resuming(implicit, trust()) : new FTPSClient(implicit, trust());
      ftps.setEnabledProtocols(new String[] {"TLSv" + settings.get("tls")});
      ftps.setEndpointCheckingEnabled(true);
      ftp = ftps;
    }
    ftp.setControlEncoding("UTF-8");
    ftp.setConnectTimeout(20000);
    ftp.setDefaultTimeout(30000);
    ftp.setDataTimeout(Duration.ofSeconds(30));
    ftp.setUseEPSVwithIPv4(settings.get("mode").equals("EPSV"));
    ftp.connect(settings.get("host"), Integer.parseInt(settings.get("port")));
    check(ftp, ftp.getReplyCode() / 100 == 2);
    check(ftp, ftp.login(settings.get("user"), settings.get("password")));
    if (ftp instanceof FTPSClient) {
      ((FTPSClient) ftp).execPBSZ(0);
      ((FTPSClient) ftp).execPROT("P");
    }
    if (settings.get("mode").equals("Active")) {
      ftp.enterLocalActiveMode();
    } else {
      ftp.enterLocalPassiveMode();
    }
    check(ftp, ftp.setFileType(FTP.BINARY_FILE_TYPE));
    return ftp;
  }

  static void check(FTPClient ftp, boolean ok) throws IOException {
    if (!ok) {
      throw new IOException("the server said: " + ftp.getReplyString());
    }
  }

  static void copy(InputStream in, OutputStream out, int rate) throws IOException, InterruptedException {
    byte[] block = new byte[rate > 0 ? 8192 : 65536];
    long sent = 0;
    long begun = System.nanoTime();
    for (int n = in.read(block); n >= 0; n = in.read(block)) {
      out.write(block, 0, n);
      sent += n;
      if (rate > 0) {
        long ahead = sent * 1000 / rate - (System.nanoTime() - begun) / 1000000;
        Thread.sleep(Math.max(0, ahead));
      }
    }
  }

  static void upload(FTPClient ftp, String local, String remote, int rate, long offset) throws Exception {
    try (FileInputStream in = new FileInputStream(local)) {
      in.getChannel().position(offset);
      ftp.setRestartOffset(offset);
      OutputStream out = ftp.storeFileStream(remote);
      check(ftp, out != null);
      copy(in, out, rate);
      out.close();
    }
    check(ftp, ftp.completePendingCommand());
  }

  static void download(FTPClient ftp, String local, String remote, int rate, long offset) throws Exception {
    try (FileOutputStream out = new FileOutputStream(local, offset > 0)) {
      ftp.setRestartOffset(offset);
      InputStream in = ftp.retrieveFileStream(remote);
      check(ftp, in != null);
      copy(in, out, rate);
      in.close();
    }
    check(ftp, ftp.completePendingCommand());
  }

  static long size(FTPClient ftp, String remote) throws IOException {
    String size = ftp.getSize(remote);
    check(ftp, size != null);
    return Long.parseLong(size);
  }

  static void list(FTPClient ftp, String remote) throws IOException {
    FTPFile[] files = ftp.mlistDir(remote);
    check(ftp, ftp.getReplyCode() / 100 == 2);
    for (FTPFile f : files) {
      if (!f.getName().equals(".") && !f.getName().equals("..")) {
        System.out.println(f.getName());
      }
    }
  }

  static void run(FTPClient ftp, String[] op) throws Exception {
    String local = op[2];
    String remote = op[3];
    int rate = Integer.parseInt(op[5]);
    switch (op[1]) {
      case "upload" -> upload(ftp, local, remote, rate, 0);
      case "resume-upload" -> upload(ftp, local, remote, rate, size(ftp, remote));
      case "download" -> download(ftp, local, remote, rate, 0);
      case "resume-download" -> download(ftp, local, remote, rate, new File(local).length());
      case "rename" -> check(ftp, ftp.rename(remote, op[4]));
      case "delete" -> check(ftp, ftp.deleteFile(remote));
      case "mkdir" -> check(ftp, ftp.makeDirectory(remote));
      case "rmdir" -> check(ftp, ftp.removeDirectory(remote));
      case "list" -> list(ftp, remote);
      default -> throw new IOException("unknown operation " + op[1]);
    }
  }

  public static void main(String[] args) throws Exception {
    System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));
    read();
    FTPClient ftp = connect();
    for (String[] op : operations) {
      run(ftp, op);
    }
    ftp.logout();
    ftp.disconnect();
  }
}
