// crash MODE [threads]: ends in the way that MODE says.
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#define KEEP __attribute__((noinline))

static volatile int sink;
static std::string mode;

struct Order { int id, quantity; };

// each way to crash has a function of its own, so that the stack tells them apart
KEEP int read_order(const Order *order) { int total = order->quantity * 3; sink += total; return total; }
KEEP void abort_now() { sink++; abort(); }
KEEP void free_twice() { char *p = static_cast<char *>(malloc(64)); free(p); sink++; free(p); sink++; }
KEEP void divide_by(int zero) { sink = 10 / zero; }
KEEP void write_behind_the_file() {
  int fd = memfd_create("short", 0);
  if (ftruncate(fd, 4096)) {}
  volatile char *p = static_cast<char *>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  p[5000] = 1;
}
KEEP void illegal_instruction() { __builtin_trap(); }
KEEP void breakpoint() { asm volatile("int3"); sink++; }
KEEP void forbidden_call() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program = {sizeof code / sizeof *code, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  sink = static_cast<int>(syscall(SYS_getppid));
}
KEEP int recurse(int depth) {
  volatile char frame[512];
  frame[depth & 511] = static_cast<char>(depth);
  return recurse(depth + 1) + frame[(depth + 1) & 511];
}
KEEP void throw_order(int id) {
  if (id) throw std::runtime_error("order " + std::to_string(id) + " not found");
}

static sigjmp_buf back;
static void jump_back(int) { siglongjmp(back, 1); }
static void reset_and_return(int signal_number) { signal(signal_number, SIG_DFL); }
static void reset_and_raise(int signal_number) {
  signal(signal_number, SIG_DFL);
  raise(signal_number);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}
static void reset_and_raise_info(int signal_number, siginfo_t *, void *) { reset_and_raise(signal_number); }
static void abort_in_handler(int) { abort(); }
static void abort_in_handler_info(int, siginfo_t *, void *) { abort(); }
static void exit_in_handler(int) { _exit(3); }

static void handle(void (*handler)(int), int flags = 0) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGSEGV, &action, nullptr);
}
static void handle_info(void (*handler)(int, siginfo_t *, void *), int flags = 0) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = flags | SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
}
static void alternate_stack() {
  stack_t stack = {};
  stack.ss_size = 65536;
  stack.ss_sp = malloc(stack.ss_size);
  sigaltstack(&stack, nullptr);
}
static void null_dereference() { sink += read_order(nullptr); }
static void recover(int times) {
  handle(jump_back);
  for (int i = 0; i < times; i++)
    if (sigsetjmp(back, 1) == 0) null_dereference();
}

static void crash() {
  if (mode == "null") null_dereference();
  else if (mode == "abort") abort_now();
  else if (mode == "double_free") free_twice();
  else if (mode == "fpe") divide_by(sink & 0);
  else if (mode == "bus") write_behind_the_file();
  else if (mode == "ill") illegal_instruction();
  else if (mode == "trap") breakpoint();
  else if (mode == "sys") forbidden_call();
  else if (mode == "overflow") sink = recurse(0);
  else if (mode == "overflow_alternate") { alternate_stack(); handle(reset_and_raise, SA_ONSTACK); sink = recurse(0); }
  else if (mode == "throw") throw_order(42);
  else if (mode == "reset_and_return") { handle(reset_and_return); null_dereference(); }
  else if (mode == "reset_and_raise") { handle(reset_and_raise); null_dereference(); }
  else if (mode == "reset_and_raise_info") { handle_info(reset_and_raise_info); null_dereference(); }
  else if (mode == "reset_and_raise_alternate") { alternate_stack(); handle(reset_and_raise, SA_ONSTACK); null_dereference(); }
  else if (mode == "reset_and_raise_info_alternate") { alternate_stack(); handle_info(reset_and_raise_info, SA_ONSTACK); null_dereference(); }
  else if (mode == "abort_in_handler") { handle(abort_in_handler); null_dereference(); }
  else if (mode == "abort_in_handler_info") { handle_info(abort_in_handler_info); null_dereference(); }
  else if (mode == "abort_in_handler_alternate") { alternate_stack(); handle(abort_in_handler, SA_ONSTACK); null_dereference(); }
  else if (mode == "one_shot") { handle([](int) {}, SA_RESETHAND); null_dereference(); }
  else if (mode == "exit_in_handler") { handle(exit_in_handler); null_dereference(); }
  else if (mode == "recover") { recover(1000); exit(0); }
  else if (mode == "recover_then_die") { recover(3); signal(SIGSEGV, SIG_DFL); null_dereference(); }
  else if (mode == "recover_then_abort") { recover(3); abort_now(); }
  else if (mode == "blocked") {
    sigset_t set;
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    handle(jump_back);
    null_dereference();
  }
  else if (mode == "ignored") { signal(SIGSEGV, SIG_IGN); null_dereference(); }
  else if (mode == "raise") raise(SIGSEGV);
  else if (mode == "exit3") { fputs("giving up\n", stderr); exit(3); }
  else if (mode == "kill") kill(getpid(), SIGKILL);
  else if (mode == "quiet_exit") exit(0);
  else { fprintf(stderr, "no such mode: %s\n", mode.c_str()); exit(2); }
}

static bool starts_with(const std::string &text, const char *prefix) { return text.rfind(prefix, 0) == 0; }

// before main: what crashes here crashes in the first milliseconds
__attribute__((constructor)) static void before_main(int argc, char **argv, char **) {
  if (argc > 1 && !strcmp(argv[1], "first")) null_dereference();
}

int main(int argc, char **argv) {
  mode = argc > 1 ? argv[1] : "";
  int threads = argc > 2 ? atoi(argv[2]) : 3;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::vector<std::thread> others;
  for (int i = 0; i < threads; i++) others.emplace_back([] { for (;;) { sink++; usleep(1000); } });
  if (starts_with(mode, "wait_")) {
    // until a signal lets it go on: the test arms meanwhile
    puts("ready");
    fflush(stdout);
    int got;
    sigwait(&set, &got);
    mode = mode.substr(5);
  }
  if (starts_with(mode, "often_")) {
    recover(1000);
    signal(SIGSEGV, SIG_DFL);
    mode = mode.substr(6);
  }
  if (starts_with(mode, "thread_")) {
    mode = mode.substr(7);
    std::thread([] { prctl(PR_SET_NAME, "crasher"); crash(); }).join();
  } else {
    crash();
  }
  for (auto &other : others) other.join();
}
