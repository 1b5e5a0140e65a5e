// The shop in C#: exception, null, chained, thread-exception, stack-overflow, fail-fast, segv, exit/N. An exception that no
// thread catches ends the process by SIGABRT, whichever thread it is.
using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

class OrderNotFound : Exception
{
    public OrderNotFound(int id, Exception cause) : base("order " + id + " of jane@example.org not found", cause) { }
}

class Item
{
    public int Cents;
}

static class Shop
{
    static readonly int[] Orders = { 300 };

    static int LoadOrder(int id)
    {
        try
        {
            return Orders[id];
        }
        catch (IndexOutOfRangeException error)
        {
            throw new OrderNotFound(id, error);
        }
    }

    static int HandleRequest(string path)
    {
        return LoadOrder(int.Parse(path.Substring(path.LastIndexOf('/') + 1)));
    }

    static int PriceOf(Item item)
    {
        return item.Cents;
    }

    static int Total(Item[] cart)
    {
        int sum = 0;
        foreach (var item in cart) sum += PriceOf(item);
        return sum;
    }

    static int CountDown(int n)
    {
        return CountDown(n - 1) + 1;
    }

    static void Crash(string how)
    {
        if (how.StartsWith("exit/")) Environment.Exit(int.Parse(how.Substring(5)));
        switch (how)
        {
            case "exception": throw new InvalidOperationException("the cart of jane@example.org is closed");
            case "null": Total(new Item[] { new Item(), null }); break;
            case "chained": HandleRequest("/orders/42"); break;
            case "thread-exception": new Thread(() => HandleRequest("/orders/42")).Start(); break;
            case "stack-overflow": CountDown(0); break;
            case "fail-fast": Environment.FailFast("the cart of jane@example.org is broken"); break;
            case "segv": Marshal.WriteInt32(new IntPtr(0x123456), 1); break;
            default: Console.Error.WriteLine("no way to crash is called " + how); break;
        }
    }

    static void Answer(TcpClient client)
    {
        using (client)
        using (var stream = client.GetStream())
        {
            var reader = new StreamReader(stream, Encoding.ASCII);
            var words = (reader.ReadLine() ?? "").Split(' ');
            while (!string.IsNullOrEmpty(reader.ReadLine())) { }
            var path = words.Length > 1 ? words[1] : "/";
            string status = "200 OK", body = "a shop that crashes on request\n";
            if (path.StartsWith("/crash/"))
            {
                Crash(path.Substring(7));
                body = "still alive\n";
            }
            else if (path.StartsWith("/orders/")) body = "{\"total_cents\":" + Total(new[] { new Item { Cents = 321 } }) + "}\n";
            else if (path.StartsWith("/slow?ms=")) Thread.Sleep(Math.Min(int.Parse(path.Substring(9)), 60000));
            else if (path == "/env")
                body = "{\"PORT\":\"" + Environment.GetEnvironmentVariable("PORT") + "\",\"WEBSITE_INSTANCE_ID\":\""
                    + Environment.GetEnvironmentVariable("WEBSITE_INSTANCE_ID") + "\"}\n";
            else if (path != "/") status = "404 Not Found";
            var head = "HTTP/1.1 " + status + "\r\nContent-Type: text/plain\r\nContent-Length: " + body.Length
                + "\r\nConnection: close\r\n\r\n";
            var bytes = Encoding.ASCII.GetBytes(head + body);
            stream.Write(bytes, 0, bytes.Length);
        }
    }

    static void Main()
    {
        var port = int.Parse(Environment.GetEnvironmentVariable("PORT") ?? "8000");
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        Console.WriteLine("the shop listens on " + listener.LocalEndpoint);
        var how = Environment.GetEnvironmentVariable("LAB_CRASH");
        if (how != null) Crash(how);
        for (;;)
        {
            var client = listener.AcceptTcpClient();
            new Thread(() => Answer(client)).Start();
        }
    }
}
