/* Callers at full speed: GRE packets of calls that the test has opened, encrypted ahead of time (MPPE-128, stateless:
 * RFC 3078, RFC 3079 section 3.3), so that sending them costs the sender less than the server.
 *
 *   load flood SECONDS OCTETS RATE CALL...   in every round each CALL sends as many packets as its weight is, RATE of all
 *                                            calls in a second
 *   load ping SECONDS MICROSECONDS 1 CALL    an echo request each so many microseconds
 *   CALL = SERVER,SOURCE,SERVER'S CALL ID,OUR CALL ID,SEQUENCE,START KEY,KEY,COUNT,INNER SOURCE,INNER DESTINATION,WEIGHT
 *
 * A `g` behind WEIGHT stands for random octets in place of encrypted packets. OCTETS is the size of the inner UDP packets.
 * Says "ready", and for each line on standard input runs once and prints what came of it: for a flood, which runs once
 * only, its seconds and the packets that each call sent; for pings the microseconds of each answer, 0 if there was none
 * within a second. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 16, BATCH = 64, GRE = 47, HEADERS = 12 + 4 + 2 + 2 };

struct call {
    int socket, weight, is_garbage;
    struct sockaddr_in server;
    uint16_t server_id, own_id, count;
    uint32_t sequence, source, destination;
    uint8_t start[16], key[16];
    long sent;
};

static struct call calls[CALLS];
static int called, octets;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* SHA-1 (RFC 3174) of one block. */
static void sha1_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int t = 0; t < 80; t++) {
        uint32_t x;
        if (t < 16)
            x = (uint32_t)block[4 * t] << 24 | block[4 * t + 1] << 16 | block[4 * t + 2] << 8 | block[4 * t + 3];
        else
            x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], x = x << 1 | x >> 31;
        w[t] = x;
        uint32_t f = t < 20 ? (b & c) | (~b & d) : t < 40 ? b ^ c ^ d : t < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = t < 20 ? 0x5a827999 : t < 40 ? 0x6ed9eba1 : t < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t next = (a << 5 | a >> 27) + f + e + k + x;
        e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static void rc4(const uint8_t key[16], uint8_t *data, int length)
{
    uint8_t s[256], i = 0, j = 0, t;
    for (int n = 0; n < 256; n++)
        s[n] = n;
    for (int n = 0; n < 256; n++)
        j += s[n] + key[n % 16], t = s[n], s[n] = s[j], s[j] = t;
    for (j = 0; length--; data++)
        i++, j += s[i], t = s[i], s[i] = s[j], s[j] = t, *data ^= s[(uint8_t)(s[i] + s[j])];
}

/* The key of the next packet: SHA-1 of start key, 40 zeros, key, 40 times f2, encrypted under itself. */
static void change_key(struct call *call)
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t message[128] = {0}, hash[16];
    memcpy(message, call->start, 16);
    memcpy(message + 56, call->key, 16);
    memset(message + 72, 0xf2, 40);
    message[112] = 0x80, message[126] = 112 * 8 >> 8, message[127] = 112 * 8 & 0xff;
    sha1_block(h, message), sha1_block(h, message + 64);
    for (int n = 0; n < 16; n++)
        hash[n] = h[n / 4] >> (24 - 8 * (n % 4));
    memcpy(call->key, hash, 16);
    rc4(hash, call->key, 16);
}

static uint8_t *put(uint8_t *at, uint32_t value, int size)
{
    while (size--)
        *at++ = value >> 8 * size;
    return at;
}

static uint16_t checksum(const uint8_t *data, int length)
{
    uint32_t sum = 0;
    for (int n = 0; n < length; n++)
        sum += n % 2 ? data[n] : data[n] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

/* An inner packet: UDP to port 9, or ICMP echo request `number`. */
static void inner(struct call *call, uint8_t *packet, int length, int protocol, int number)
{
    uint8_t *at = put(packet, 0x4500, 2);
    at = put(at, length, 2), at = put(at, number, 2), at = put(at, 0x4000, 2), at = put(at, 64, 1), at = put(at, protocol, 1);
    at = put(at, 0, 2), at = put(at, call->source, 4), at = put(at, call->destination, 4);
    put(packet + 10, checksum(packet, 20), 2);
    if (protocol == IPPROTO_UDP)
        at = put(at, 9, 2), at = put(at, 9, 2), at = put(at, length - 20, 2), at = put(at, 0, 2);
    else
        at = put(at, 0x0800, 2), at = put(at, 0, 2), at = put(at, 7, 2), at = put(at, number, 2);
    memset(at, 0, packet + length - at);
    if (protocol == IPPROTO_ICMP)
        put(packet + 22, checksum(packet + 20, length - 20), 2);
}

/* A whole GRE packet around an inner one of `length` octets; its own length. */
static int build(struct call *call, uint8_t *packet, int length, int protocol, int number)
{
    int size = 4 + 2 + 2 + length;
    uint8_t *at = put(packet, 0x3001880b, 4);
    at = put(at, size, 2), at = put(at, call->server_id, 2), at = put(at, call->sequence++, 4);
    at = put(at, 0xff0300fd, 4), at = put(at, 0x9000 | call->count, 2);
    call->count = (call->count + 1) & 0xfff;
    if (call->is_garbage) {
        for (uint8_t *end = at + 2 + length; at < end;)
            at = put(at, random(), 1);
        return 12 + size;
    }
    uint8_t *sealed = at;
    inner(call, put(at, 0x0021, 2), length, protocol, number);
    change_key(call);
    rc4(call->key, sealed, 2 + length);
    return 12 + size;
}

static void hex(uint8_t *out, const char *text)
{
    for (int n = 0; n < 16; n++)
        sscanf(text + 2 * n, "%2hhx", out + n);
}

static void add_call(char *text)
{
    struct call *call = &calls[called++];
    char *field[11];
    for (int n = 0; n < 11; n++)
        if (!(field[n] = strsep(&text, ",")))
            exit(2);
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(field[1])};
    call->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(field[0])};
    call->server_id = atoi(field[2]), call->own_id = atoi(field[3]), call->sequence = strtoul(field[4], NULL, 10);
    hex(call->start, field[5]), hex(call->key, field[6]);
    call->count = atoi(field[7]);
    call->source = ntohl(inet_addr(field[8])), call->destination = ntohl(inet_addr(field[9]));
    call->weight = atoi(field[10]), call->is_garbage = strchr(field[10], 'g') != NULL;
    call->socket = socket(AF_INET, SOCK_RAW, GRE);
    if (call->socket < 0 || bind(call->socket, (struct sockaddr *)&source, sizeof source))
        fail("socket");
    connect(call->socket, (struct sockaddr *)&call->server, sizeof call->server);
}

static int go(void)
{
    char line[16];
    return fgets(line, sizeof line, stdin) != NULL;
}

static void flood(double seconds, double rate)
{
    int weights = 0, size = HEADERS + octets;
    for (int n = 0; n < called; n++)
        weights += calls[n].weight;
    long rounds = seconds * rate / weights;
    uint8_t *all = malloc((size_t)rounds * weights * size), *at = all;
    struct iovec *vectors = calloc(rounds * weights, sizeof *vectors), *next = vectors;
    struct mmsghdr messages[BATCH] = {0};
    if (!all || !vectors)
        fail("memory");
    for (long round = 0; round < rounds; round++)
        for (int n = 0; n < called; n++)
            for (int w = 0; w < calls[n].weight; w++, at += size, next++)
                next->iov_base = at, next->iov_len = build(&calls[n], at, octets, IPPROTO_UDP, 0);
    puts("ready"), fflush(stdout);
    if (go()) {
        double end = now() + seconds, began = now(), sent = 0;
        for (long round = 0; round < rounds && now() < end; round++, sent += weights) {
            double pause = began + sent / rate - now();
            if (pause > 0.0002)
                usleep(pause * 1e6);
            next = vectors + round * weights;
            for (int n = 0; n < called; n++)
                for (int done = 0, count; done < calls[n].weight; done += count) {
                    int want = calls[n].weight - done < BATCH ? calls[n].weight - done : BATCH;
                    for (int m = 0; m < want; m++)
                        messages[m].msg_hdr = (struct msghdr){.msg_iov = next + m, .msg_iovlen = 1};
                    count = sendmmsg(calls[n].socket, messages, want, 0);
                    count = count < 1 ? 1 : count; /* what was not taken is lost */
                    next += count, calls[n].sent += count;
                }
        }
        printf("%.3f", now() - began);
        for (int n = 0; n < called; n++)
            printf(" %ld", calls[n].sent);
        puts(""), fflush(stdout);
    }
}

/* Whether a packet with a payload for our call comes until `end`. */
static int answered(struct call *call, double end)
{
    uint8_t packet[2048];
    for (double left; (left = end - now()) > 0;) {
        struct pollfd wanted = {.fd = call->socket, .events = POLLIN};
        if (poll(&wanted, 1, left * 1000 + 1) < 1)
            continue;
        int length = recv(call->socket, packet, sizeof packet, 0), header = (packet[0] & 15) * 4;
        if (length >= header + 16 && (packet[header + 6] << 8 | packet[header + 7]) == call->own_id
            && (packet[header + 4] << 8 | packet[header + 5]) >= 60)
            return 1;
    }
    return 0;
}

static void pings(double seconds, double interval)
{
    uint8_t packet[256];
    puts("ready"), fflush(stdout);
    for (int number = 0; go();) {
        double next = now(), end = next + seconds;
        for (; next < end; next += interval) {
            double pause = next - now();
            if (pause > 0)
                usleep(pause * 1e6);
            int length = build(calls, packet, 60, IPPROTO_ICMP, ++number & 0xffff);
            double sent = now();
            send(calls->socket, packet, length, 0);
            int came = answered(calls, sent + 1);
            printf("%.0f ", came ? (now() - sent) * 1e6 : 0);
        }
        puts(""), fflush(stdout);
    }
}

int main(int count, char **words)
{
    if (count < 6)
        return 2;
    for (int n = 5; n < count && called < CALLS; n++)
        add_call(words[n]);
    octets = atoi(words[3]);
    if (!strcmp(words[1], "flood"))
        flood(atof(words[2]), atof(words[4]));
    else
        pings(atof(words[2]), octets / 1e6);
    return 0;
}
