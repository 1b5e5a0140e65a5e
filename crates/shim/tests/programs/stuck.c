// stuck [often]: dies with its stack pointer in memory that nobody provides: who reads it waits until this process is gone. Often:
// after many faults that it has handled.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static sigjmp_buf back;
static void jump_back(int number) {
  (void)number;
  siglongjmp(back, 1);
}

int main(int argc, char **argv) {
  (void)argv;
  signal(SIGSEGV, jump_back);
  for (volatile int i = 0; argc > 1 && i < 1000; i++)
    if (sigsetjmp(back, 1) == 0) *(volatile int *)16 = 1;
  signal(SIGSEGV, SIG_DFL);
  size_t size = 1 << 20;
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {UFFD_API, 0, 0};
  char *area = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register region = {{(unsigned long)area, size}, UFFDIO_REGISTER_MODE_MISSING, 0};
  if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &region)) {
    puts("no userfaultfd");
    return 0;
  }
  asm volatile("mov %0, %%rsp\n\txor %%eax, %%eax\n\tmovl $1, (%%rax)" : : "r"(area + size / 2) : "memory", "rax");
  return 0;
}
