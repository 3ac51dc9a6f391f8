/*
 * A bare-metal program for the board malta with a disk as the primary master: it says what the disk is, reads a sector through the
 * data port, writes sectors by the bus master and reads them back by it and through the port. It prints "disk ok" at the end, or
 * what was wrong. Built for both byte orders (see the README beside it).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define KSEG1(address) (0xa0000000u | (address))
#define PHYSICAL(pointer) ((u32)(pointer) & 0x1fffffffu)

/* Little-endian registers, whatever the CPU's byte order. */
#ifdef __MIPSEB__
#define LE16(value) ((u16)__builtin_bswap16(value))
#define LE32(value) __builtin_bswap32(value)
#else
#define LE16(value) (value)
#define LE32(value) (value)
#endif

#define GT(offset) (*(volatile u32 *)KSEG1(0x1be00000u + (offset)))
#define PORT8(port) (*(volatile u8 *)KSEG1(0x18000000u + (port)))
#define PORT16(port) (*(volatile u16 *)KSEG1(0x18000000u + (port)))
#define PORT32(port) (*(volatile u32 *)KSEG1(0x18000000u + (port)))

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
/* PIIX4, device 10, function 1. */
#define IDE_CONFIG(reg) (0x80000000u | 10 << 11 | 1 << 8 | (reg))

#define UART 0x3f8
#define TASK_FILE 0x1f0
#define CONTROL 0x3f6
#define BUS_MASTER 0x1040

#define BSY 0x80
#define DRQ 0x08
#define ERR 0x01

#define SECTOR 512

static u8 *const written = (u8 *)KSEG1(0x00200000u);
static u8 *const read_back = (u8 *)KSEG1(0x00300000u);
static u32 *const descriptors = (u32 *)KSEG1(0x00400000u);

static void put(char character) { PORT8(UART) = character; }

static void print(const char *text)
{
	while (*text) put(*text++);
}

static void print_hex(u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
	put('\n');
}

static void fail(const char *what)
{
	print("wrong: ");
	print(what);
	put('\n');
	for (;;) __asm__ volatile("wait");
}

static void config(u32 reg, u32 value)
{
	GT(CONFIG_ADDRESS) = LE32(IDE_CONFIG(reg));
	/* The bridge hands it on in the CPU's byte order, as Linux relies on. */
	GT(CONFIG_DATA) = value;
}

static void command(u8 opcode, u32 sector, u8 count)
{
	PORT8(TASK_FILE + 2) = count;
	PORT8(TASK_FILE + 3) = sector;
	PORT8(TASK_FILE + 4) = sector >> 8;
	PORT8(TASK_FILE + 5) = sector >> 16;
	PORT8(TASK_FILE + 6) = 0xe0 | sector >> 24;
	PORT8(TASK_FILE + 7) = opcode;
}

static u8 wait_ready(void)
{
	while (PORT8(CONTROL) & BSY);
	u8 status = PORT8(TASK_FILE + 7);
	if (status & ERR) fail("the drive reports an error");
	return status;
}

static void read_data(u8 *into)
{
	if (!(wait_ready() & DRQ)) fail("the drive has no data");
	for (int i = 0; i < SECTOR; i += 2) {
		u16 word = LE16(PORT16(TASK_FILE));
		into[i] = word;
		into[i + 1] = word >> 8;
	}
}

static void dma(u8 opcode, u32 sector, u8 count, u8 *memory, u8 to_memory)
{
	/* Two regions. */
	descriptors[0] = LE32(PHYSICAL(memory));
	descriptors[1] = LE32(SECTOR);
	descriptors[2] = LE32(PHYSICAL(memory) + SECTOR);
	descriptors[3] = LE32(0x80000000u | (count - 1) * SECTOR);
	PORT32(BUS_MASTER + 4) = LE32(PHYSICAL(descriptors));
	PORT8(BUS_MASTER + 2) = 6;
	PORT8(BUS_MASTER) = to_memory ? 9 : 1;
	command(opcode, sector, count);
	/* The drive need not be busy meanwhile: its interrupt tells. */
	while (!(PORT8(BUS_MASTER + 2) & 4));
	wait_ready();
	if ((PORT8(BUS_MASTER + 2) & 7) != 4) fail("the bus master is not done");
	PORT8(BUS_MASTER) = 0;
}

static u32 sum(const u8 *bytes, u32 count)
{
	u32 total = 0;
	while (count--) total = total * 31 + *bytes++;
	return total;
}

void __start(void)
{
	config(0x40, 0x80008000u);
	config(0x20, BUS_MASTER);
	config(0x04, 5);

	command(0xec, 0, 0);
	read_data(read_back);
	for (int i = 54; i < 94; i += 2) {
		put(read_back[i + 1]);
		put(read_back[i]);
	}
	print("\nsectors ");
	print_hex(read_back[120] | read_back[121] << 8 | read_back[122] << 16 | (u32)read_back[123] << 24);

	command(0x20, 5, 1);
	read_data(read_back);
	print("sector 5 ");
	print_hex(sum(read_back, SECTOR));

	for (u32 i = 0; i < 8 * SECTOR; i++) written[i] = i * 7 + (i >> 8);
	dma(0xca, 100, 8, written, 0);
	dma(0xc8, 99, 10, read_back, 1);
	for (u32 i = 0; i < 8 * SECTOR; i++)
		if (read_back[SECTOR + i] != written[i]) fail("what was written is not read");
	print("around ");
	print_hex(sum(read_back, SECTOR) ^ sum(read_back + 9 * SECTOR, SECTOR));
	command(0xe7, 0, 0);
	wait_ready();
	command(0x20, 107, 1);
	read_data(read_back);
	if (sum(read_back, SECTOR) != sum(written + 7 * SECTOR, SECTOR)) fail("the port reads something else");
	print("disk ok\n");
	for (;;) __asm__ volatile("wait");
}
