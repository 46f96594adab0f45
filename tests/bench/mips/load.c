/* The load of a router under test, inside the same machine: both of its cables end here as TAP devices.
 *
 *   load wire          holds the devices wan0, lan0 and far0; carries what passes between wan0 and far0 (the
 *                      caller's network, to be moved into the namespace `far`); takes commands, see `command`
 *   load call server   one end of a call on the kernel's own PPTP socket with MPPE, without any negotiation
 *   load call caller   the other end; both stay until they are killed
 *
 * Packets from the caller are made by a real caller in `far` and kept here until there are enough; then they
 * arrive at the router in one burst. Time is the machine's own clock, which under QEMU's -icount counts
 * instructions. While the router works on a burst this program spins at idle priority: all that has to run,
 * runs first. What the burst itself and the spinning cost is found out by the same burst for another station
 * (another MAC address), which the router drops at once, and is subtracted. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_pppox.h>
#include <linux/if_tun.h>
#include <linux/ppp-ioctl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 64, MERGED = 16, SLOT = 24 * 1024, SPIN = 500000, CALIBRATION = 100000 };
enum { ETHERNET = 14, IP = 20, TCP = 32, UDP = 8, GRE_PROTOCOL = 47 };
#define VNET sizeof(struct virtio_net_hdr)
#define CALLER "192.168.77.10"
#define HOST "192.168.50.2"

/* A frame as a TAP device with IFF_VNET_HDR gives and takes it. */
struct frame { int length; uint8_t octets[2048]; };

static int wan, lan, far, raw;
static struct frame burst[BURST];
static uint8_t large[BURST / MERGED * SLOT]; /* merged packets, or any one packet of 64 KiB */
static const uint8_t router_lan[6] = {2, 0, 0, 0, 0, 2}, host[6] = {2, 0, 0, 0, 0, 4}, nobody[6] = {2, 0, 0, 0, 0, 9};
static uint32_t sequence[2] = {1000, 5000}; /* of the inner TCP connection: the caller's, the host's */
static uint16_t identification[2];

static void fail(const char *what) { perror(what); exit(1); }

/* ---- frames ---- */

static int tap(const char *name, unsigned offload)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	strcpy(request.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOFFLOAD, offload))
		fail(name);
	return fd;
}

static uint32_t sum(const uint8_t *octets, int length)
{
	uint32_t total = 0;
	for (int i = 0; i < length; i += 2)
		total += octets[i] << 8 | (i + 1 < length ? octets[i + 1] : 0);
	return total;
}

static uint16_t folded(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static void put16(uint8_t *at, unsigned value) { at[0] = value >> 8; at[1] = value; }
static void put32(uint8_t *at, uint32_t value) { put16(at, value >> 16); put16(at + 2, value); }

static uint32_t pseudo(const uint8_t *ip, int protocol, int length) { return sum(ip + 12, 8) + protocol + length; }

/* An IPv4 packet of `length` octets between caller and host. `partial`: the TCP checksum as for a device that
 * does the rest. */
static void inner(uint8_t *ip, int length, int tcp, int from_host, int partial)
{
	uint8_t *body = ip + IP;
	uint32_t ends[2] = {inet_addr(CALLER), inet_addr(HOST)};
	memset(ip, 0, length);
	put16(ip, 0x4500), put16(ip + 2, length), put16(ip + 4, identification[from_host]), put16(ip + 6, 0x4000);
	ip[8] = 64, ip[9] = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	memcpy(ip + 12, &ends[from_host], 4), memcpy(ip + 16, &ends[!from_host], 4);
	put16(ip + 10, ~folded(sum(ip, IP)));
	put16(body, from_host ? 2000 : 1000), put16(body + 2, from_host ? 1000 : 2000);
	int check = tcp ? 16 : 6, size = length - IP;
	for (int i = tcp ? TCP : UDP; i < size; i++)
		body[i] = i * 7;
	if (tcp) {
		static const uint8_t stamps[12] = {1, 1, 8, 10, 0, 0, 1, 1, 0, 0, 2, 2};
		put32(body + 4, sequence[from_host]), put32(body + 8, sequence[!from_host]);
		put16(body + 12, 0x8010), put16(body + 14, 0xffff);
		memcpy(body + 20, stamps, sizeof stamps);
		sequence[from_host] += size - TCP;
	} else
		put16(body + 4, size);
	uint16_t check_sum = folded(pseudo(ip, ip[9], size) + (partial ? 0 : sum(body, size)));
	put16(body + check, partial ? check_sum : (uint16_t)~check_sum);
}

static int read_frame(int fd, struct frame *frame) { return frame->length = read(fd, frame->octets, sizeof frame->octets); }

static int is_data(const struct frame *frame)
{
	const uint8_t *ip = frame->octets + VNET + ETHERNET;
	return frame->length > (int)VNET + ETHERNET + IP + 8 && ip[9] == GRE_PROTOCOL && ip[IP] & 0x10;
}

/* Carries frames between the router and the caller for some time. */
static void carry(int milliseconds)
{
	struct pollfd ends[2] = {{wan, POLLIN}, {far, POLLIN}};
	static struct frame frame;
	while (poll(ends, 2, milliseconds) > 0)
		for (int i = 0; i < 2; i++)
			while (read_frame(ends[i].fd, &frame) > 0)
				if (write(ends[!i].fd, frame.octets, frame.length) < 0)
					perror("carry");
}

/* ---- measuring ---- */

static void priority(int policy)
{
	struct sched_param parameter = {.sched_priority = policy == SCHED_FIFO};
	if (sched_setscheduler(0, policy, &parameter))
		fail("sched_setscheduler");
}

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

/* Three instructions for each turn. */
static void spin(unsigned turns)
{
	__asm__ volatile(".set push\n.set noreorder\n1: addiu %0, %0, -1\nbnez %0, 1b\nnop\n.set pop" : "+r"(turns));
}

static long long calibration(void)
{
	long long best = 1ll << 60;
	for (int i = 0; i < 20; i++) {
		long long begin = now();
		spin(CALIBRATION);
		long long took = now() - begin;
		best = took < best ? took : best;
	}
	return best;
}

/* One burst into `fd`, and everything that follows from it. */
static long long measured(int fd, int frames, uint8_t *(*frame)(int, int *), const uint8_t *station)
{
	priority(SCHED_FIFO);
	long long begin = now();
	for (int i = 0; i < frames; i++) {
		int length;
		uint8_t *octets = frame(i, &length);
		memcpy(octets + VNET, station, 6);
		if (write(fd, octets, length) < 0)
			perror("burst");
	}
	priority(SCHED_IDLE);
	spin(SPIN);
	long long end = now();
	priority(SCHED_OTHER);
	return end - begin;
}

static uint8_t *of_burst(int i, int *length) { *length = burst[i].length; return burst[i].octets; }

/* What came out at the LAN: packets, a merged one counting as its segments. */
static int from_lan(void)
{
	int count = 0;
	while (read(lan, large, sizeof large) > 0) {
		struct virtio_net_hdr *header = (void *)large;
		uint8_t *ip = large + VNET + ETHERNET;
		if (memcmp(ip + 12, (uint32_t[]){inet_addr(CALLER)}, 4))
			continue;
		int octets = (ip[2] << 8 | ip[3]) - IP - (ip[IP + 12] >> 4) * 4;
		count += header->gso_type ? (octets + header->gso_size - 1) / header->gso_size : 1;
	}
	return count;
}

static int from_wan(void)
{
	int count = 0;
	struct frame frame;
	while (read_frame(wan, &frame) > 0) {
		count += is_data(&frame);
		if (write(far, frame.octets, frame.length) < 0)
			perror("to the caller");
	}
	return count;
}

/* Lets the caller send `BURST` packets and keeps what it makes of them. */
static int collect(int length, int tcp)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(HOST)};
	int count = 0, sent = 0;
	long long end = now() + 3000000000ll;
	while (count < BURST && now() < end) {
		if (sent < BURST && sent < count + 8) {
			uint8_t packet[1500];
			inner(packet, length, tcp, 0, 0);
			identification[0]++, sent++;
			if (sendto(raw, packet, length, 0, (void *)&to, sizeof to) < 0)
				fail("inner packet");
		}
		struct pollfd ready = {far, POLLIN};
		if (poll(&ready, 1, sent < BURST && sent < count + 8 ? 0 : 100) > 0)
			while (count < BURST && read_frame(far, &burst[count]) > 0) {
				if (is_data(&burst[count]))
					count++;
				else if (write(wan, burst[count].octets, burst[count].length) < 0)
					perror("to the router");
			}
	}
	return count;
}

/* One burst from the caller: instructions' time with and without the router's work, and packets at the LAN. */
static void up(FILE *answer, int length, int tcp)
{
	uint8_t router[6];
	int count = collect(length, tcp);
	if (count < BURST)
		fprintf(stderr, "only %d packets from the caller\n", count);
	memcpy(router, burst[0].octets + VNET, 6);
	from_lan();
	long long floor = measured(wan, count, of_burst, nobody), total = measured(wan, count, of_burst, router);
	int arrived = from_lan();
	from_wan();
	fprintf(answer, " %lld/%lld/%d", total, floor, arrived);
}

static int merged_length;
static uint8_t *of_large(int i, int *length) { (void)i; *length = merged_length; return large + i * SLOT; }

/* A burst of the host's: TCP as a LAN device with GRO hands it over, MERGED segments in one; else single packets. */
static int prepare_down(int length, int tcp)
{
	int frames = tcp ? BURST / MERGED : BURST;
	for (int i = 0; i < frames; i++) {
		uint8_t *octets = tcp ? large + i * SLOT : burst[i].octets;
		struct virtio_net_hdr *header = (void *)octets;
		uint8_t *ip = octets + VNET + ETHERNET;
		int segment = length - IP - TCP, total = tcp ? IP + TCP + MERGED * segment : length;
		memset(octets, 0, VNET + ETHERNET);
		memcpy(octets + VNET, router_lan, 6), memcpy(octets + VNET + 6, host, 6), put16(octets + VNET + 12, 0x0800);
		inner(ip, total, tcp, 1, tcp);
		identification[1] += tcp ? MERGED : 1;
		if (tcp)
			*header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.hdr_len = ETHERNET + IP + TCP, .gso_size = segment, .csum_start = ETHERNET + IP, .csum_offset = 16};
		merged_length = VNET + ETHERNET + total;
		burst[i].length = merged_length;
	}
	return frames;
}

static void down(FILE *answer, int length, int tcp)
{
	int frames = prepare_down(length, tcp);
	uint8_t *(*frame)(int, int *) = tcp ? of_large : of_burst;
	from_wan();
	long long floor = measured(lan, frames, frame, nobody), total = measured(lan, frames, frame, router_lan);
	fprintf(answer, " %lld/%lld/%d", total, floor, from_wan());
}

/* "up|down tcp|udp LENGTH ROUNDS": answers "CALIBRATION TOTAL/FLOOR/ARRIVED ...".  "idle" answers at once. */
static void command(char *line, FILE *answer)
{
	char direction[8], protocol[8];
	int length, rounds;
	if (sscanf(line, "%7s %7s %d %d", direction, protocol, &length, &rounds) == 4) {
		fprintf(answer, "%lld", calibration());
		for (int i = 0; i < rounds; i++) {
			(strcmp(direction, "up") ? down : up)(answer, length, !strcmp(protocol, "tcp"));
			carry(150); /* acknowledgments that wait for their timer */
		}
	}
	fputc('\n', answer);
}

static int raw_socket_of(const char *namespace)
{
	int own = open("/proc/self/ns/net", O_RDONLY), other = open(namespace, O_RDONLY), one = 1;
	if (setns(other, 0))
		fail(namespace);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof one) || setns(own, 0))
		fail("raw socket");
	return fd;
}

static int wire(const char *offload)
{
	wan = tap("wan0", 0), lan = tap("lan0", strcmp(offload, "tso") ? 0 : TUN_F_CSUM | TUN_F_TSO4), far = tap("far0", 0);
	raw = raw_socket_of("/run/netns/far");
	int commands = open("/run/load.commands", O_RDWR);
	if (commands < 0)
		fail("/run/load.commands");
	for (;;) {
		struct pollfd ready[3] = {{wan, POLLIN}, {far, POLLIN}, {commands, POLLIN}};
		poll(ready, 3, -1);
		if (ready[0].revents | ready[1].revents)
			carry(0);
		char line[128] = "";
		if (ready[2].revents && read(commands, line, sizeof line - 1) > 0) {
			FILE *answer = fopen("/run/load.answers", "w");
			command(line, answer);
			fclose(answer);
		}
		from_lan();
	}
}

/* ---- the kernel's own PPTP ---- */

static void start_mppe(int unit, int transmit, const char *key)
{
	/* The option as CCP agreed on it (stateless, 128 bits), and the start key behind it. */
	uint8_t option[22] = {18, 6, 1, 0, 0, 0x40};
	memcpy(option + 6, key, 16);
	struct ppp_option_data data = {.ptr = option, .length = sizeof option, .transmit = transmit};
	if (ioctl(unit, PPPIOCSCOMPRESS, &data))
		fail("PPPIOCSCOMPRESS");
}

static int call(int is_server)
{
	const char *ends[2] = {"10.99.0.1", "203.0.113.2"}, *keys[2] = {"from the server.", "from the caller."};
	struct sockaddr_pppox mine = {.sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_PPTP}, theirs = mine;
	mine.sa_addr.pptp.call_id = is_server ? 1 : 2, theirs.sa_addr.pptp.call_id = is_server ? 2 : 1;
	mine.sa_addr.pptp.sin_addr.s_addr = inet_addr(ends[!is_server]);
	theirs.sa_addr.pptp.sin_addr.s_addr = inet_addr(ends[is_server]);
	int line = socket(AF_PPPOX, SOCK_STREAM, PX_PROTO_PPTP), channel, number = -1, flags = SC_CCP_OPEN;
	int link = open("/dev/ppp", O_RDWR), unit = open("/dev/ppp", O_RDWR);
	if (line < 0 || bind(line, (void *)&mine, sizeof mine) || connect(line, (void *)&theirs, sizeof theirs))
		fail("PPTP socket");
	if (ioctl(line, PPPIOCGCHAN, &channel) || ioctl(link, PPPIOCATTCHAN, &channel) || ioctl(unit, PPPIOCNEWUNIT, &number)
	    || ioctl(link, PPPIOCCONNECT, &number) || ioctl(unit, PPPIOCSFLAGS, &flags))
		fail("PPP unit");
	start_mppe(unit, 1, keys[!is_server]), start_mppe(unit, 0, keys[is_server]);
	printf("ppp%d\n", number), fflush(stdout);
	/* Each end's Configure-Ack starts its compressor and the other's decompressor. Some of them may be early. */
	static const uint8_t ack[] = {0x80, 0xfd, 2, 1, 0, 10, 18, 6, 1, 0, 0, 0x40};
	for (int i = 0; i < 10; i++, usleep(300000))
		if (write(unit, ack, sizeof ack) < 0)
			fail("Configure-Ack");
	flags |= SC_CCP_UP;
	if (ioctl(unit, PPPIOCSFLAGS, &flags))
		fail("PPPIOCSFLAGS");
	printf("up\n"), fflush(stdout);
	for (;;)
		pause();
}

int main(int count, char **words)
{
	if (count == 3 && !strcmp(words[1], "wire"))
		return wire(words[2]);
	if (count == 3 && !strcmp(words[1], "call"))
		return call(!strcmp(words[2], "server"));
	return 2;
}
