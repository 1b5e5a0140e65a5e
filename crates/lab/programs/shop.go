// The shop in Go: panic, error, nil, index, map, stack-overflow, bad-pointer, abort, handler-panic, exit/N.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

type item struct{ sku, cents int }

type orderNotFound struct{ id int }

func (e orderNotFound) Error() string {
	return fmt.Sprintf("order %d of jane@example.org not found", e.id)
}

//go:noinline
func priceOf(i *item) int { return i.cents * 3 }

//go:noinline
func total(cart []*item) int {
	sum := 0
	for _, i := range cart {
		sum += priceOf(i)
	}
	return sum
}

//go:noinline
func handleRequest(id int) int {
	if id < 0 {
		return total([]*item{{1, 100}, nil})
	}
	return total([]*item{{id, 107}})
}

//go:noinline
func loadOrder(id int) { panic(orderNotFound{id}) }

//go:noinline
func itemAt(cart []int, index int) int { return cart[index] }

func countDown(n int) int {
	var block [100]int
	block[(n%100+100)%100] = n
	return countDown(n-1) + block[0]
}

func writeAtOnce() {
	orders := map[int]int{}
	for i := 0; i < 8; i++ {
		go func() {
			for {
				orders[1]++
			}
		}()
	}
}

func crash(how string) {
	how, argument, _ := strings.Cut(how, "/")
	switch how {
	case "panic":
		panic("order 42 of jane@example.org not found")
	case "error":
		loadOrder(42)
	case "nil":
		fmt.Println(handleRequest(-1))
	case "index":
		fmt.Println(itemAt([]int{1, 2, 3}, 7))
	case "map":
		writeAtOnce()
	case "stack-overflow":
		debug.SetMaxStack(16 << 20)
		countDown(0)
	case "bad-pointer":
		*(*int)(unsafe.Pointer(uintptr(0xdeadbeef000))) = 1
	case "abort":
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
	case "exit":
		status, _ := strconv.Atoi(argument)
		os.Exit(status)
	default:
		fmt.Fprintln(os.Stderr, "no way to crash is called", how)
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/crash/handler-panic":
		loadOrder(42)
	case strings.HasPrefix(path, "/crash/"):
		// net/http recovers what its own goroutines panic with.
		go crash(strings.TrimPrefix(path, "/crash/"))
		time.Sleep(2 * time.Second)
		fmt.Fprintln(w, "still alive")
	case strings.HasPrefix(path, "/orders/"):
		fmt.Fprintf(w, "{\"total_cents\":%d}\n", handleRequest(7))
	case path == "/slow":
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil || ms > 60000 {
			ms = 1000
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		fmt.Fprintln(w, "slow")
	case path == "/env":
		fmt.Fprintf(w, "{\"PORT\":%q,\"WEBSITE_INSTANCE_ID\":%q}\n", os.Getenv("PORT"), os.Getenv("WEBSITE_INSTANCE_ID"))
	case path == "/":
		fmt.Fprintln(w, "a shop that crashes on request")
	default:
		http.NotFound(w, r)
	}
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println("the shop listens on", listener.Addr())
	if how := os.Getenv("LAB_CRASH"); how != "" {
		go crash(how)
	}
	fmt.Fprintln(os.Stderr, http.Serve(listener, http.HandlerFunc(answer)))
}
