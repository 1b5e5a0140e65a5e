/* The shop in C: null, abort, stack-overflow, double-free, fpe, bus, ill, trap, kill, exit/N, reraise, reraise-alt,
 * handled-segv/N, heap (a write far behind a block's end), call (through a bad pointer). */
#include "serve.h"

#include <setjmp.h>
#include <sys/mman.h>

#define NEVER_INLINE __attribute__((noinline))

struct item {
  int sku;
  int cents;
};

static volatile int sink;

static inline int price_of(const struct item *item) { return item->cents * 3; }

NEVER_INLINE static int cart_total(const struct item **items, int count) {
  int total = 0;
  for (int i = 0; i < count; i++) total += price_of(items[i]);
  return total + sink;
}

NEVER_INLINE static int handle_request(int id) {
  struct item first = {id, 100 + id % 900};
  const struct item *items[2] = {&first, id < 0 ? NULL : &first};
  return cart_total(items, 2) + sink;
}

#pragma GCC diagnostic ignored "-Winfinite-recursion"
NEVER_INLINE static int count_down(int n) {
  volatile char block[512];
  block[n & 511] = (char)n;
  return count_down(n + 1) + block[(n + 1) & 511];
}

NEVER_INLINE static void double_free(void) {
  char *volatile block = malloc(64);
  free(block);
  free(block);
}

NEVER_INLINE static void average(int sum, volatile int *count) { sink = sum / *count; }

NEVER_INLINE static void read_truncated_file(void) {
  int file = memfd_create("catalogue", 0);
  if (ftruncate(file, 4096) != 0) return;
  volatile char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  map[5000] = 1;
}

NEVER_INLINE static void give_up(void) { abort(); }

NEVER_INLINE static void illegal_instruction(void) { __builtin_trap(); }

NEVER_INLINE static void breakpoint(void) {
#if defined(__x86_64__)
  __asm__ volatile("int3");
#else
  raise(SIGTRAP);
#endif
  sink++;
}

NEVER_INLINE static void call_bad_pointer(void) {
  void (*volatile nowhere)(void) = (void (*)(void))0x10;
  nowhere();
  sink++;
}

NEVER_INLINE static void smash_heap(void) {
  char *volatile block = malloc(24);
  memset(block, 0x41, 4096);
  for (int i = 0; i < 64; i++) free(malloc(24 + (size_t)i * 16));
  sink += *block;
}

static void raise_again(int signal_number) {
  signal(signal_number, SIG_DFL);
  static const char words[] = "cleaning up before the end\n";
  lab_write(2, words, sizeof words - 1);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
  raise(signal_number);
}

static void on_segv(void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGSEGV, &action, NULL);
}

NEVER_INLINE static void reraise(int alternate_stack) {
  if (alternate_stack) {
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL);
  }
  on_segv(raise_again, alternate_stack ? SA_ONSTACK : 0);
  handle_request(-1);
}

static sigjmp_buf recovery;

static void recover(int signal_number) { siglongjmp(recovery, signal_number); }

NEVER_INLINE static void handled_faults(long times) {
  on_segv(recover, 0);
  for (volatile long i = 0; i < times && i < 1000000; i++)
    if (sigsetjmp(recovery, 1) == 0) handle_request(-1);
  signal(SIGSEGV, SIG_DFL);
}

static void crash(const char *how) {
  int zero = 0;
  if (strcmp(how, "null") == 0) sink = handle_request(-1);
  else if (strcmp(how, "abort") == 0) give_up();
  else if (strcmp(how, "stack-overflow") == 0) sink = count_down(0);
  else if (strcmp(how, "double-free") == 0) double_free();
  else if (strcmp(how, "fpe") == 0) average(7, &zero);
  else if (strcmp(how, "bus") == 0) read_truncated_file();
  else if (strcmp(how, "ill") == 0) illegal_instruction();
  else if (strcmp(how, "trap") == 0) breakpoint();
  else if (strcmp(how, "call") == 0) call_bad_pointer();
  else if (strcmp(how, "heap") == 0) smash_heap();
  else if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  else if (strcmp(how, "reraise") == 0) reraise(0);
  else if (strcmp(how, "reraise-alt") == 0) reraise(1);
  else if (strncmp(how, "exit/", 5) == 0) exit(atoi(how + 5));
  else if (strncmp(how, "handled-segv/", 13) == 0) handled_faults(atol(how + 13));
  else fprintf(stderr, "no way to crash is called %s\n", how);
}

int main(void) { return lab_serve(crash, handle_request); }
