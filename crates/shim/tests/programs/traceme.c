// traceme: asks for a debugger by itself, as nobody expects, and goes on: handles a signal, runs itself again, waits for the next.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <unistd.h>

static void handler(int number) {
  if (number == SIGUSR1) puts("handled");
  if (number == SIGUSR2) *(volatile int *)16 = 1;
  fflush(stdout);
}
int main(int argc, char **argv) {
  signal(SIGUSR1, handler);
  signal(SIGUSR2, handler);
  if (argc == 1) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGUSR1);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execl("/proc/self/exe", argv[0], "again", (char *)0);
  }
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
