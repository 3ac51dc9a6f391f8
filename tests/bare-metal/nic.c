/*
 * A bare-metal program for the board malta with an RTL8139 in its first PCI slot, on a network with a host 10.0.2.2: it says what a
 * driver would read of the card, sends to itself in loopback with a ring that wraps in both ways and runs full, and asks for the host's
 * address. It prints "nic ok" at the end. What it prints is of what all of these cards have alike.
 */
#include "malta.h"

#define NIC_CONFIG(reg) (0x80000000u | 18 << 11 | (reg))
#define NIC 0x1000
#define R8(reg) PORT8(NIC + (reg))
#define R16(reg) PORT16(NIC + (reg))
#define R32(reg) PORT32(NIC + (reg))

#define IDR 0x00
#define MAR 0x08
#define TSD 0x10
#define TSAD 0x20
#define RBSTART 0x30
#define CR 0x37
#define CAPR 0x38
#define CBR 0x3a
#define IMR 0x3c
#define ISR 0x3e
#define TCR 0x40
#define RCR 0x44
#define MPC 0x4c
#define CR9346 0x50
#define CONFIG1 0x52
#define CONFIG3 0x59
#define CONFIG4 0x5a
#define MSR 0x58
#define SENT 0x60
#define BMSR 0x64
#define CONFIG5 0xd8

#define RING_BYTES 8192
#define LOOPBACK 0x00060000u
#define WRAP 0x80

static u8 *const ring = (u8 *)KSEG1(0x00200000u);
static u8 *const buffers = (u8 *)KSEG1(0x00300000u);
static u8 address[6];
static u32 read_at, next_buffer, answers;

static void say(const char *what, u32 value)
{
	print(what);
	put(' ');
	print_hex(value);
}

/* Accesses of each width: a register's value is the same to CPUs of either byte order. */
static u32 get16(u32 reg) { return LE16(R16(reg)); }
static u32 get32(u32 reg) { return LE32(R32(reg)); }
static void set16(u32 reg, u32 value) { R16(reg) = LE16(value); }
static void set32(u32 reg, u32 value) { R32(reg) = LE32(value); }

static u32 eeprom(u32 word, int address_bits)
{
	u32 command = word | 6u << address_bits, value = 0;
	R8(CR9346) = 0x80;
	R8(CR9346) = 0x88;
	for (int i = address_bits + 4; i >= 0; i--) {
		u8 data = command >> i & 1 ? 0x8a : 0x88;
		R8(CR9346) = data;
		R8(CR9346) = data | 4;
	}
	R8(CR9346) = 0x88;
	for (int i = 0; i < 16; i++) {
		R8(CR9346) = 0x8c;
		value = value << 1 | (R8(CR9346) & 1);
		R8(CR9346) = 0x88;
	}
	R8(CR9346) = 0;
	return value;
}

static void start(u32 receive, u32 transmit)
{
	R8(CR) = 0x10;
	while (R8(CR) & 0x10);
	set32(RBSTART, PHYSICAL(ring));
	R8(CR) = 0x0c;
	set32(RCR, receive);
	set32(TCR, transmit);
	for (u32 i = 0; i < 4; i++) set32(TSAD + 4 * i, PHYSICAL(buffers) + 2048 * i);
	for (u32 i = 0; i < RING_BYTES + 2048; i++) ring[i] = 0xee;
	read_at = next_buffer = 0;
}

static u8 *buffer(void) { return buffers + 2048 * next_buffer; }

static void send(u32 bytes)
{
	u32 tsd = TSD + 4 * next_buffer;
	set32(tsd, 0x00080000u | bytes);
	while (!(get32(tsd) & 0x8000));
	next_buffer = (next_buffer + 1) % 4;
}

static void send_numbered(u32 number, u32 bytes)
{
	u8 *frame = buffer();
	for (u32 i = 0; i < bytes; i++) frame[i] = number + i * 3;
	for (int i = 0; i < 6; i++) frame[i] = number & 1 ? 0xff : address[i];
	send(bytes);
}

/* The frame that is next in the ring: its header; software goes on behind it. */
static u32 take(void)
{
	u32 header = LE32(*(u32 *)(ring + read_at));
	read_at = (read_at + (header >> 16) + 7 & ~3u) % RING_BYTES;
	set16(CAPR, read_at - 16);
	return header;
}

static void find_out(void)
{
	say("id", read_config(NIC_CONFIG(0)));
	say("subsystem", read_config(NIC_CONFIG(0x2c)) ? 1 : 0);
	say("class", read_config(NIC_CONFIG(8)) >> 8);
	write_config(NIC_CONFIG(0x10), 0xffffffffu);
	say("bar 0", read_config(NIC_CONFIG(0x10)));
	write_config(NIC_CONFIG(0x14), 0xffffffffu);
	say("bar 1", read_config(NIC_CONFIG(0x14)));
	write_config(NIC_CONFIG(0x14), 0);
	write_config(NIC_CONFIG(0x10), NIC);
	write_config(NIC_CONFIG(0x04), 5);

	R8(CR) = 0x10;
	say("after a reset", R8(CR));
	for (int i = 0; i < 6; i++) address[i] = R8(IDR + i);
	say("address", get32(IDR));
	say("address", get32(IDR + 4));
	for (u32 word = 0; word < 3; word++) say("eeprom", eeprom(word, 6));
	for (u32 word = 7; word < 10; word++) say("eeprom", eeprom(word, 6));
	say("eeprom, 256 words", eeprom(0, 8) == 0x8129);
	say("capr, cbr", get16(CAPR) | get16(CBR) << 16);
	say("tsd", get32(TSD + 12));
	say("sent", get16(SENT));
	say("link", (R8(MSR) & 4) | get16(BMSR) << 16);
}

static void try_registers(void)
{
	set16(IMR, 0xe07f);
	say("imr", get16(IMR));
	set16(IMR, 0);
	set32(MAR, 0x44332211u);
	set32(MAR + 4, 0x88776655u);
	say("mar", R8(MAR + 5) | R8(MAR + 2) << 8);
	set32(RCR, 0x0003ffbfu);
	say("rcr", get32(RCR));
	set32(TCR, 0x03060600u);
	say("tcr, off", get32(TCR) & 0x030707f0u);
	R8(CR) = 0x04;
	set32(TCR, 0xffffffffu);
	say("tcr, on", get32(TCR) & 0x030707f0u);
	say("cr", R8(CR));
	for (int open = 0; open < 2; open++) {
		R8(CR9346) = open ? 0xc0 : 0;
		R8(CONFIG1) = 0xff;
		R8(CONFIG3) = 0xff;
		R8(CONFIG4) = 0xff;
		say("config", R8(CONFIG1) | R8(CONFIG3) << 8 | R8(CONFIG4) << 16);
		R8(CONFIG1) = R8(CONFIG3) = R8(CONFIG4) = 0;
	}
	say("9346cr", R8(CR9346));
	R8(CR9346) = 0;
	R8(CONFIG5) = 0xff;
	say("config5", R8(CONFIG5));
	R8(CONFIG5) = 0;
}

static void try_ring(u32 wrap)
{
	u32 headers = 0;
	start(0x0000e70au | wrap, LOOPBACK | 0x03000600u);
	for (u32 i = 0; i < 24; i++) {
		u32 bytes = 60 + i * 61;
		send_numbered(i, bytes);
		u32 ended = get16(CBR);
		u32 header = take();
		if (header >> 16 != bytes + 4) fail("a frame has another length");
		if (ended != read_at || !(R8(CR) & 1)) fail("the ring is not empty");
		headers = headers * 31 + header;
	}
	say("headers", headers);
	say("ring", sum(ring, RING_BYTES));
	say("behind", sum(ring + RING_BYTES, 2048));
	say("isr", get16(ISR));
	set16(ISR, 0x0004);
	say("isr", get16(ISR));
	say("sent", get16(SENT));
	say("tsd", get32(TSD + 4));
}

static void overflow(void)
{
	start(0x0000e70au | WRAP, LOOPBACK | 0x03000600u);
	/* A card that would not be heard may keep a frame back instead. */
	set16(IMR, 0x0010);
	for (u32 i = 0; i < 7; i++) send_numbered(i, 1200);
	say("cbr", get16(CBR));
	say("missed", get32(MPC) & 0xffffff);
	say("isr", get16(ISR));
	set16(ISR, 0xffff);
	take();
	send_numbered(8, 1200);
	say("cbr", get16(CBR));
	say("isr", get16(ISR));
	while (!(R8(CR) & 1)) say("header", take());
	set32(MPC, 1);
	say("missed", get32(MPC));
	set16(IMR, 0);
}

static void filters(void)
{
	static const u16 accepts[] = {0x02, 0x08, 0x04, 0x00};
	start(0x0000e70au | WRAP, LOOPBACK | 0x03000600u);
	/* The bit of the first group below. */
	set32(MAR, 0x00040000u);
	set32(MAR + 4, 0x00000000u);
	for (u32 i = 0; i < 4; i++) {
		set32(RCR, 0x0000e700u | WRAP | accepts[i]);
		u32 taken = 0;
		for (u32 to = 0; to < 5; to++) {
			u8 *frame = buffer();
			u32 before = get16(CBR);
			for (int k = 0; k < 6; k++) frame[k] = to == 0 ? 0xff : address[k];
			if (to == 2) frame[5] ^= 1;
			if (to > 2) {
				/* A group, and another one. */
				frame[0] = 1, frame[1] = 0, frame[2] = 0x5e, frame[3] = 0, frame[4] = 0, frame[5] = to;
			}
			send(64);
			taken = taken << 1 | (get16(CBR) != before);
		}
		say("taken", taken);
	}
	set32(MAR, 0xffffffffu);
	set32(MAR + 4, 0xffffffffu);
}

static void ask(void)
{
	static const u8 question[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
	u8 *frame = buffer();
	for (int i = 0; i < 60; i++) frame[i] = i < 6 ? 0xff : 0;
	for (u32 i = 0; i < sizeof question; i++) frame[12 + i] = question[i];
	for (int i = 0; i < 6; i++) frame[6 + i] = frame[22 + i] = address[i];
	frame[28] = 10, frame[30] = 2, frame[31] = 15;
	frame[38] = 10, frame[40] = 2, frame[41] = 2;
	send(60);
	while (R8(CR) & 1);
	u8 *answer = ring + read_at;
	answers = answers * 31 + (take() & 0xffff);
	answers = answers * 31 + LE32(*(u32 *)(answer + 4 + 24));
	answers = answers * 31 + LE32(*(u32 *)(answer + 4 + 36));
}

void __start(void)
{
	find_out();
	try_registers();
	print("ring that wraps\n");
	try_ring(0);
	print("ring that goes on\n");
	try_ring(WRAP);
	overflow();
	filters();
	start(0x0000e70au | WRAP, 0x03000600u);
	for (int i = 0; i < 12; i++) ask();
	say("answers", answers);
	print("nic ok\n");
	for (;;) __asm__ volatile("wait");
}
