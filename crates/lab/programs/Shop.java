import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * The shop in Java: exception, null, chained, stack-overflow, oom, segv, thread-exception, exit/N. What is thrown is thrown in
 * the main thread, and all others are daemons: an exception elsewhere ends no JVM.
 */
public class Shop {
  static class OrderNotFound extends RuntimeException {
    OrderNotFound(int id, Throwable cause) {
      super("order " + id + " of jane@example.org not found", cause);
    }
  }

  static final String[] ORDERS = {"first"};
  static final LinkedBlockingQueue<String> crashes = new LinkedBlockingQueue<>();

  static String loadOrder(int id) {
    try {
      return ORDERS[id];
    } catch (ArrayIndexOutOfBoundsException error) {
      throw new OrderNotFound(id, error);
    }
  }

  static String handleRequest(String path) {
    return loadOrder(Integer.parseInt(path.substring(path.lastIndexOf('/') + 1)));
  }

  static int priceOf(Integer cents) {
    return cents;
  }

  static int total(List<Integer> cart) {
    int sum = 0;
    for (Integer cents : cart) sum += priceOf(cents);
    return sum;
  }

  static int countDown(int n) {
    return countDown(n - 1) + 1;
  }

  static void eatMemory() {
    List<byte[]> hoard = new ArrayList<>();
    while (true) hoard.add(new byte[1 << 20]);
  }

  static void writeToNowhere() throws Exception {
    Field field = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    ((sun.misc.Unsafe) field.get(null)).putAddress(0L, 1L);
  }

  static void crash(String how) throws Exception {
    if (how.startsWith("exit/")) System.exit(Integer.parseInt(how.substring(5)));
    switch (how) {
      case "exception": throw new IllegalStateException("the cart of jane@example.org is closed");
      case "null": total(java.util.Arrays.asList(1, null)); break;
      case "chained": handleRequest("/orders/42"); break;
      case "stack-overflow": countDown(0); break;
      case "oom": eatMemory(); break;
      case "segv": writeToNowhere(); break;
      case "thread-exception": new Thread(() -> handleRequest("/orders/42"), "order").start(); break;
      default: System.err.println("no way to crash is called " + how);
    }
  }

  static void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    String query = exchange.getRequestURI().getQuery();
    int status = 200;
    String body = "a shop that crashes on request\n";
    try {
      if (path.startsWith("/crash/")) {
        crashes.add(path.substring(7));
        Thread.sleep(2000); // The main thread crashes while this request waits for its answer.
        body = "still alive\n";
      } else if (path.startsWith("/orders/")) {
        body = "{\"total_cents\":" + total(List.of(321)) + "}\n";
      } else if (path.equals("/slow")) {
        Thread.sleep(query == null ? 1000 : Math.min(Integer.parseInt(query.replaceAll("[^0-9]", "")), 60_000));
      } else if (path.equals("/env")) {
        Map<String, String> all = System.getenv();
        body = "{\"PORT\":\"" + all.get("PORT") + "\",\"WEBSITE_INSTANCE_ID\":\"" + all.get("WEBSITE_INSTANCE_ID") + "\"}\n";
      } else if (!path.equals("/")) {
        status = 404;
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  static void serve() {
    try {
      int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8000"));
      HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 128);
      server.createContext("/", Shop::answer);
      server.setExecutor(Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "shop-request");
        thread.setDaemon(true);
        return thread;
      }));
      server.start();
      System.out.println("the shop listens on 127.0.0.1:" + server.getAddress().getPort());
    } catch (IOException error) {
      System.err.println(error);
      System.exit(2);
    }
  }

  public static void main(String[] arguments) throws Exception {
    // The server's own threads inherit being daemons from the thread that starts them.
    Thread starter = new Thread(Shop::serve, "shop");
    starter.setDaemon(true);
    starter.start();
    starter.join();
    if (System.getenv("LAB_CRASH") != null) crash(System.getenv("LAB_CRASH"));
    while (true) crash(crashes.take());
  }
}
