/* As much of an HTTP server as the C and C++ shops need: a named thread a connection, one request a connection.
 * LAB_CRASH names a way to crash right after the start, on a thread of its own; LAB_THREADS adds idle threads. */
#ifndef LAB_SERVE_H
#define LAB_SERVE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Does what it is asked to; returns when that is survived. */
typedef void (*crash_function)(const char *how);
typedef int (*order_function)(int id);

static crash_function lab_crash;
static order_function lab_order;

static void lab_write(int to, const char *text, size_t length) {
  while (length > 0) {
    ssize_t n = write(to, text, length);
    if (n <= 0) return;
    text += n;
    length -= (size_t)n;
  }
}

static void lab_respond(int to, const char *status, const char *body) {
  char head[256];
  int n = snprintf(head, sizeof head,
                   "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                   strlen(body));
  lab_write(to, head, (size_t)n);
  lab_write(to, body, strlen(body));
}

static void lab_answer(int client, const char *path) {
  char body[256];
  if (strncmp(path, "/crash/", 7) == 0) {
    lab_crash(path + 7);
    lab_respond(client, "200 OK", "still alive\n");
  } else if (strncmp(path, "/orders/", 8) == 0) {
    snprintf(body, sizeof body, "total: %d\n", lab_order(atoi(path + 8)));
    lab_respond(client, "200 OK", body);
  } else if (strncmp(path, "/slow?ms=", 9) == 0) {
    int ms = atoi(path + 9);
    usleep((useconds_t)(ms < 0 ? 0 : ms > 60000 ? 60000 : ms) * 1000);
    lab_respond(client, "200 OK", "slow\n");
  } else if (strcmp(path, "/env") == 0) {
    const char *port = getenv("PORT"), *instance = getenv("WEBSITE_INSTANCE_ID");
    snprintf(body, sizeof body, "{\"PORT\":\"%s\",\"WEBSITE_INSTANCE_ID\":\"%.64s\"}\n", port ? port : "",
             instance ? instance : "");
    lab_respond(client, "200 OK", body);
  } else if (strcmp(path, "/") == 0) {
    lab_respond(client, "200 OK", "a shop that crashes on request\n");
  } else {
    lab_respond(client, "404 Not Found", "no such page\n");
  }
}

static void *lab_connection(void *argument) {
  int client = (int)(long)argument;
  char head[8192];
  size_t length = 0;
  pthread_setname_np(pthread_self(), "shop-request");
  while (length < sizeof head - 1) {
    ssize_t n = read(client, head + length, sizeof head - 1 - length);
    if (n <= 0) break;
    length += (size_t)n;
    head[length] = 0;
    if (strstr(head, "\r\n\r\n")) break;
  }
  head[length] = 0;
  char *path = strchr(head, ' ');
  char *end = path ? strchr(path + 1, ' ') : NULL;
  if (end) {
    *end = 0;
    lab_answer(client, path + 1);
  }
  close(client);
  return NULL;
}

static void *lab_crash_at_start(void *how) {
  pthread_setname_np(pthread_self(), "crash-at-start");
  lab_crash((const char *)how);
  return NULL;
}

static void *lab_idle(void *argument) {
  pthread_setname_np(pthread_self(), "shop-idle");
  for (;;) pause();
  return argument;
}

static void lab_thread(void *(*body)(void *), void *argument) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  if (pthread_create(&thread, &attributes, body, argument) == 0) pthread_detach(thread);
  pthread_attr_destroy(&attributes);
}

static int lab_serve(crash_function crash, order_function order) {
  lab_crash = crash;
  lab_order = order;
  signal(SIGPIPE, SIG_IGN);
  const char *port = getenv("PORT"), *how = getenv("LAB_CRASH"), *threads = getenv("LAB_THREADS");
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons((unsigned short)atoi(port ? port : "8000"));
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    perror("listen");
    return 2;
  }
  printf("the shop listens on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (int i = 0; i < (threads ? atoi(threads) : 3) && i < 1000; i++) lab_thread(lab_idle, NULL);
  if (how) lab_thread(lab_crash_at_start, (void *)how);
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client >= 0) lab_thread(lab_connection, (void *)(long)client);
  }
}

#endif
