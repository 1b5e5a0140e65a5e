// The shop in C++: throw, throw-int, terminate, noexcept, pure-virtual, out-of-range, bad-alloc, null, double-free,
// stack-overflow, abort, exit/N.
#include "serve.h"

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#define NEVER_INLINE __attribute__((noinline))

static volatile int sink;

namespace shop {

struct Item {
  int sku;
  int cents;
};

class OrderNotFound : public std::runtime_error {
 public:
  explicit OrderNotFound(int id) : std::runtime_error("order " + std::to_string(id) + " of jane@example.org not found") {}
};

inline int price_of(const Item *item) { return item->cents * 3; }

NEVER_INLINE int total(const std::vector<const Item *> &items) {
  int sum = 0;
  for (const Item *item : items) sum += price_of(item);
  return sum + sink;
}

template <class T>
struct Handler {
  NEVER_INLINE int handle_request(const T *missing, int id) {
    T first{id, 100 + id % 900};
    return total({&first, missing ? missing : nullptr}) + sink;
  }
};

NEVER_INLINE void load_order(int id) {
  if (id != 0) throw OrderNotFound(id);
  sink++;
}

NEVER_INLINE void process_order(int id) {
  load_order(id);
  sink += 2;
}

NEVER_INLINE void close_order(int id) noexcept { process_order(id); }

class Payment {
 public:
  Payment() { announce(); }
  virtual ~Payment() = default;
  virtual void pay() = 0;
  NEVER_INLINE void announce() { pay(); }
};

class Card : public Payment {
 public:
  void pay() override { sink++; }
};

NEVER_INLINE void pay_too_early() { Card card; }

NEVER_INLINE int item_at(const std::vector<int> &items, std::size_t index) { return items.at(index); }

NEVER_INLINE void ask_for_too_much() {
  volatile std::size_t size = static_cast<std::size_t>(-1) / 4;
  std::unique_ptr<char[]> block(new char[size]);
  sink = block[0];
}

NEVER_INLINE void delete_twice() {
  auto *item = new Item{1, 2};
  Item *volatile again = item;
  delete item;
  delete again;
}

#pragma GCC diagnostic ignored "-Winfinite-recursion"
NEVER_INLINE int count_down(int n) {
  volatile char block[512];
  block[n & 511] = static_cast<char>(n);
  return count_down(n + 1) + block[(n + 1) & 511];
}

}  // namespace shop

static int order(int id) {
  shop::Item item{id, id};
  return shop::Handler<shop::Item>().handle_request(&item, id);
}

static void crash(const char *text) {
  const std::string how(text);
  if (how == "throw") shop::process_order(42);
  else if (how == "throw-int") throw 42;
  else if (how == "terminate") std::terminate();
  else if (how == "noexcept") shop::close_order(42);
  else if (how == "pure-virtual") shop::pay_too_early();
  else if (how == "out-of-range") sink = shop::item_at({1, 2, 3}, 7);
  else if (how == "bad-alloc") shop::ask_for_too_much();
  else if (how == "null") sink = shop::Handler<shop::Item>().handle_request(nullptr, 7);
  else if (how == "double-free") shop::delete_twice();
  else if (how == "stack-overflow") sink = shop::count_down(0);
  else if (how == "abort") abort();
  else if (how.rfind("exit/", 0) == 0) exit(atoi(text + 5));
  else fprintf(stderr, "no way to crash is called %s\n", text);
}

int main() { return lab_serve(crash, order); }
