# The shop in Ruby: exception, nil, chained, stack-overflow, system, segv, abort, thread-exception, exit/N. What is raised is
# raised in the main thread: an exception elsewhere ends no Ruby process.
require "json"
require "socket"

class OrderNotFound < StandardError; end

CRASHES = Queue.new

def price_of(item)
  item[:price][:cents]
end

def total(cart)
  cart.sum { |item| price_of(item) }
end

def load_order(id)
  { 1 => 300 }.fetch(id)
rescue KeyError
  raise OrderNotFound, "order #{id} of jane@example.org not found"
end

def handle_request(path)
  load_order(Integer(path.split("/").last))
end

def count_down(number)
  count_down(number - 1) + 1
end

def crash(how)
  how, argument = how.split("/", 2)
  case how
  when "exception" then raise ArgumentError, "the cart of jane@example.org is closed"
  when "nil" then total([{ price: { cents: 1 } }, {}])
  when "chained" then handle_request("/orders/42")
  when "stack-overflow" then count_down(0)
  when "system" then File.read("/nonexistent/catalogue")
  when "segv" then Process.kill(:SEGV, Process.pid)
  when "abort" then abort("fatal: cannot open the database of jane@example.org")
  when "thread-exception" then Thread.new { handle_request("/orders/42") }
  when "exit" then exit(Integer(argument || 1))
  else warn("no way to crash is called #{how}")
  end
end

def respond(client, status, body)
  client.write("HTTP/1.1 #{status}\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
end

def answer(client)
  path, query = client.gets.to_s.split[1].to_s.split("?", 2)
  loop { break if client.gets.to_s.strip.empty? }
  case path
  when "/" then respond(client, "200 OK", "a shop that crashes on request\n")
  when %r{\A/orders/} then respond(client, "200 OK", JSON.generate(total_cents: total([{ price: { cents: 321 } }])))
  when "/slow"
    sleep([query.to_s[/\d+/].to_i, 60_000].min / 1000.0)
    respond(client, "200 OK", "slow\n")
  when "/env" then respond(client, "200 OK", JSON.generate(ENV.slice("PORT", "WEBSITE_INSTANCE_ID")))
  when %r{\A/crash/}
    CRASHES << path.delete_prefix("/crash/")
    sleep(2) # The main thread crashes while this request waits for its answer.
    respond(client, "200 OK", "still alive\n")
  else respond(client, "404 Not Found", "no such page\n")
  end
ensure
  client.close
end

listener = TCPServer.new("127.0.0.1", Integer(ENV.fetch("PORT", "8000")))
$stdout.puts("the shop listens on 127.0.0.1:#{listener.addr[1]}")
$stdout.flush
Thread.new { loop { Thread.new(listener.accept) { |client| answer(client) } } }
crash(ENV["LAB_CRASH"]) if ENV["LAB_CRASH"]
loop { crash(CRASHES.pop) }
