/*
 * malloc for musl, a tenth of the size of its own. It fits a program of one thread that takes nearly
 * all of its memory at the start: no locks, and nothing goes from one size to another.
 *
 * What is large is mapped by itself and unmapped when it is freed. The rest comes in powers of two,
 * cut from one piece of memory after the other, and waits in the list of its size once it is free.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* In front of every block: where it begins, and how many octets it has from there on. */
struct head { char *start; size_t size; };
_Static_assert(sizeof(struct head) == 2 * sizeof(void *), "a head keeps the alignment");

/* What a free block has instead of its head. */
struct spare { struct spare *next; };

enum {
	SMALLEST = 32,          /* 16 octets and a head of 64 bits */
	SIZES = 7,
	LARGEST = SMALLEST << (SIZES - 1),
	PIECE = 4 * LARGEST,    /* what the kernel is asked for: two pages */
	PAGE = 4096,            /* pages may be larger: the kernel rounds up by itself */
};

static struct spare *spares[SIZES];
static char *piece;
static size_t left;

static char *map(size_t size)
{
	char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? 0 : memory;
}

/* The list for blocks of `size` octets, which becomes that of the list's blocks. */
static struct spare **list_of(size_t *size)
{
	size_t list = 0, fits = SMALLEST;
	while (fits < *size) fits *= 2, list++;
	*size = fits;
	return &spares[list];
}

/* A block of at least `size` octets, which becomes what it has. */
static char *take(size_t *size)
{
	if (*size > LARGEST) {
		*size = (*size + PAGE - 1) & -PAGE;
		return map(*size);
	}
	struct spare **list = list_of(size), *block = *list;
	if (block) {
		*list = block->next;
		return (char *)block;
	}
	if (left < *size) {
		/* The rest is smaller than one block and is given up. */
		piece = map(PIECE);
		left = piece ? PIECE : 0;
		if (!piece) return 0;
	}
	char *cut = piece;
	piece += *size, left -= *size;
	return cut;
}

static void *aligned(size_t alignment, size_t length)
{
	size_t size = length + sizeof(struct head) + alignment;
	if (length > PTRDIFF_MAX / 2 || alignment > PTRDIFF_MAX / 4) {
		errno = ENOMEM;
		return 0;
	}
	char *start = take(&size);
	if (!start) return 0;
	/* A map and a block begin where every usual alignment does: then nothing is added. */
	uintptr_t at = ((uintptr_t)start + sizeof(struct head) + alignment - 1) & -alignment;
	((struct head *)at)[-1] = (struct head){ start, size };
	return (void *)at;
}

void *__libc_malloc_impl(size_t length)
{
	return aligned(1, length);
}

void *aligned_alloc(size_t alignment, size_t length)
{
	if (!alignment || alignment & alignment - 1) {
		errno = EINVAL;
		return 0;
	}
	return aligned(alignment, length);
}

void __libc_free(void *memory)
{
	if (!memory) return;
	struct head head = ((struct head *)memory)[-1];
	if (head.size > LARGEST) {
		int before = errno;
		munmap(head.start, head.size);
		errno = before;
		return;
	}
	struct spare *block = (struct spare *)head.start, **list = list_of(&head.size);
	block->next = *list;
	*list = block;
}

void *__libc_realloc(void *memory, size_t length)
{
	if (!memory) return __libc_malloc_impl(length);
	struct head *head = (struct head *)memory - 1;
	size_t room = head->start + head->size - (char *)memory;
	/* What shrinks a lot moves: it may be kept for long. */
	if (length <= room && length >= room / 4) return memory;
	void *other = __libc_malloc_impl(length);
	if (!other) return length <= room ? memory : 0;
	memcpy(other, memory, length < room ? length : room);
	__libc_free(memory);
	return other;
}

/* For calloc: the kernel's memory is zero. */
int __malloc_allzerop(void *memory)
{
	return ((struct head *)memory)[-1].size > LARGEST;
}
