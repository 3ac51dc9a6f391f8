/* What bare-metal programs for the board malta share: types, byte order, ports, PCI configuration, the serial port. */
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

#define UART 0x3f8

static inline void put(char character) { PORT8(UART) = character; }

static inline void print(const char *text)
{
	while (*text) put(*text++);
}

static inline void print_hex(u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
	put('\n');
}

static inline void fail(const char *what)
{
	print("wrong: ");
	print(what);
	put('\n');
	for (;;) __asm__ volatile("wait");
}

static inline void write_config(u32 address, u32 value)
{
	GT(CONFIG_ADDRESS) = LE32(address);
	/* The bridge hands it on in the CPU's byte order, as Linux relies on. */
	GT(CONFIG_DATA) = value;
}

static inline u32 read_config(u32 address)
{
	GT(CONFIG_ADDRESS) = LE32(address);
	return GT(CONFIG_DATA);
}

static inline u32 sum(const u8 *bytes, u32 count)
{
	u32 total = 0;
	while (count--) total = total * 31 + *bytes++;
	return total;
}
