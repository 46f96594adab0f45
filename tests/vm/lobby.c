/* A game's lobby as a program, for the callers: `lobby host PORT` opens a room and answers who searches for it,
 * `lobby search PORT DEVICE` searches by a broadcast out of the device and prints who answered. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { SECONDS = 8 };

static void say(const char *what, const struct sockaddr_in *who, const char *text)
{
	printf("%s %s %d %s\n", what, inet_ntoa(who->sin_addr), ntohs(who->sin_port), text);
}

int main(int count, char **words)
{
	int hosts = count == 3 && !strcmp(words[1], "host"), on = 1;
	struct timeval limit = { .tv_sec = SECONDS };
	struct sockaddr_in own = { .sin_family = AF_INET }, peer = { .sin_family = AF_INET };
	socklen_t length = sizeof peer;
	char text[64] = "";
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (sock < 0 || (!hosts && count != 4)) return 2;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	own.sin_port = htons(hosts ? atoi(words[2]) : 40123);
	if (bind(sock, (struct sockaddr *)&own, sizeof own)) return perror("bind"), 1;
	if (!hosts) {
		setsockopt(sock, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
		if (setsockopt(sock, SOL_SOCKET, SO_BINDTODEVICE, words[3], strlen(words[3]))) return perror(words[3]), 1;
		peer.sin_port = htons(atoi(words[2]));
		peer.sin_addr.s_addr = htonl(INADDR_BROADCAST);
		if (sendto(sock, "room?", 5, 0, (struct sockaddr *)&peer, sizeof peer) != 5) return perror("sendto"), 1;
	}
	if (recvfrom(sock, text, sizeof text - 1, 0, (struct sockaddr *)&peer, &length) < 0) return perror("nobody"), 1;
	say(hosts ? "searched" : "found", &peer, text);
	if (hosts) sendto(sock, "room of the caller", 18, 0, (struct sockaddr *)&peer, sizeof peer);
	return 0;
}
