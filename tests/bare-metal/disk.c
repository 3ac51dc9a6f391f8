/*
 * A bare-metal program for the board malta with a disk as the primary master: it says what the disk is, reads a sector through the
 * data port, writes sectors by the bus master and reads them back by it and through the port. It prints "disk ok" at the end, or
 * what was wrong. Built for both byte orders (see the README beside it).
 */
#include "malta.h"

/* PIIX4, device 10, function 1. */
#define IDE_CONFIG(reg) (0x80000000u | 10 << 11 | 1 << 8 | (reg))

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

void __start(void)
{
	write_config(IDE_CONFIG(0x40), 0x80008000u);
	write_config(IDE_CONFIG(0x20), BUS_MASTER);
	write_config(IDE_CONFIG(0x04), 5);

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
