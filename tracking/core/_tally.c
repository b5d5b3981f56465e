/* Entries of rollups into sums, in C: what tally.py says, for each entry of each transaction that
 * changes. That code stays the rule; a test holds the two against each other.
 *
 * Most transactions of a step add to the same few cells. So a cell is found by the bytes of its
 * names, and a number in it by a code; Python's objects are made once, when the sums are read.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define REVISION 2
#define FIELDS_MAX 16
#define SEPARATOR 0x1f
#define LIMB_DIGITS 9
#define LIMBS 4
#define ENDS_MAX 4096
#define STATUSES_MAX 16
/* of the names of one cell, joined: five of at most 100 characters, and some more */
#define NAMES_MAX 8192

static int64_t ends[ENDS_MAX];
static Py_ssize_t ends_count;
static char *statuses[STATUSES_MAX]; /* first those of records, by rank, then a transaction's */
static size_t status_sizes[STATUSES_MAX];
static int statuses_count, ranks_count;

enum { K_BLOCK, K_EDGE, K_FLOW, K_USAGE, K_COST, KINDS };
static const char *const kinds[KINDS] = {"block", "edge", "flow", "usage", "cost"};

enum {
    N_LINES, N_ARRIVED, N_RETRIES, N_LOST, N_PASSED, N_STARTED, N_BUSY, N_IDLE, N_SHARE_QUEUE,
    N_SHARE_WORK, N_Q0, N_Q1, N_Q2, N_Q3, PLAIN
};
static const char *const plain[PLAIN] = {
    "lines", "arrived", "retries", "lost", "passed", "started", "busy_ms", "idle_ms",
    "share.queue_ms", "share.work_ms", "q0", "q1", "q2", "q3",
};

/* A number's code: its family, a status or another choice in it, and a bucket or a minute. */
enum {
    F_PLAIN, F_VISITS, F_ENDED, F_RECORDS, F_MINUTES, F_MINUTES_STARTED, F_QUEUE, F_WORK, F_WAIT,
    F_THROUGHPUT
};
#define CODE(family, choice, index) \
    ((uint32_t)(family) << 24 | (uint32_t)(choice) << 16 | (uint32_t)(index))
/* of a sketch: how many, and their sum; buckets come before */
#define S_N 0xfffe
#define S_MS 0xffff

typedef struct {
    uint32_t code;
    uint32_t used;
    int64_t sum;
} Number;

typedef struct {
    uint64_t hash;
    int64_t hour;
    uint32_t head, kind;
    uint32_t names_size;
    uint32_t held, room; /* numbers; `room` is a power of two */
    char *names;
    Number *numbers;
} Cell;

typedef struct {
    PyObject_HEAD
    PyObject *heads; /* (tenant, flow, version) -> its index */
    Cell *cells;
    uint32_t held, room;
    uint32_t *places; /* 0, or the index of a cell plus one; twice `room` of them */
} Sums;

typedef struct {
    Sums *sums;
    uint32_t head;
    int64_t sign;
} Sum;

typedef struct {
    const char *text;
    size_t size;
    size_t from[FIELDS_MAX], to[FIELDS_MAX];
    int count;
} Entry;

/* --- Fields -------------------------------------------------------------------------------- */

static inline int is_empty(const Entry *e, int index)
{
    return e->from[index] == e->to[index];
}

static int wrong(void)
{
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "not an entry of rollups");
    return -1;
}

static int number_at(const char *text, size_t from, size_t to, int64_t *number)
{
    int negative = from < to && text[from] == '-';
    int64_t found = 0;
    from += negative;
    if (from == to || to - from > 18)
        return wrong();
    for (; from < to; from++) {
        unsigned digit = (unsigned char)text[from] - '0';
        if (digit > 9)
            return wrong();
        found = found * 10 + digit;
    }
    *number = negative ? -found : found;
    return 0;
}

static int number(const Entry *e, int index, int64_t *found)
{
    return number_at(e->text, e->from[index], e->to[index], found);
}

static int status_of(const Entry *e, int index)
{
    size_t size = e->to[index] - e->from[index];
    for (int i = 0; i < statuses_count; i++)
        if (status_sizes[i] == size && !memcmp(statuses[i], e->text + e->from[index], size))
            return i;
    return wrong();
}

/* Where the next field of an entry ends; -1 where there is none. */
static Py_ssize_t next_end(const Entry *e, size_t from)
{
    if (from > e->size)
        return -1;
    const char *at = memchr(e->text + from, SEPARATOR, e->size - from);
    return at == NULL ? (Py_ssize_t)e->size : at - e->text;
}

/* --- Cells --------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ hash >> 29;
}

static uint64_t hash_of(uint32_t head, uint32_t kind, int64_t hour, const char *names, size_t size)
{
    uint64_t hash = mixed(mixed((uint64_t)head << 8 | kind, (uint64_t)hour), size), word = 0;
    for (; size >= 8; names += 8, size -= 8) {
        memcpy(&word, names, 8);
        hash = mixed(hash, word);
    }
    word = 0;
    memcpy(&word, names, size);
    return mixed(hash, word);
}

static int more_cells(Sums *sums)
{
    uint32_t room = sums->room ? sums->room * 2 : 64;
    Cell *cells = PyMem_Realloc(sums->cells, room * sizeof(Cell));
    if (cells == NULL)
        return PyErr_NoMemory(), -1;
    sums->cells = cells;
    uint32_t *places = PyMem_Calloc((size_t)room * 2, sizeof(uint32_t));
    if (places == NULL)
        return PyErr_NoMemory(), -1;
    PyMem_Free(sums->places);
    sums->places = places;
    sums->room = room;
    for (uint32_t i = 0; i < sums->held; i++) {
        uint32_t at = (uint32_t)cells[i].hash & (room * 2 - 1);
        while (places[at])
            at = (at + 1) & (room * 2 - 1);
        places[at] = i + 1;
    }
    return 0;
}

/* The cell of these names, joined by separators: valid until the next is asked for. */
static Cell *cell_of(const Sum *sum, uint32_t kind, int64_t hour, const char *names, size_t size)
{
    Sums *sums = sum->sums;
    if (sums->held == sums->room && more_cells(sums))
        return NULL;
    uint64_t hash = hash_of(sum->head, kind, hour, names, size);
    uint32_t mask = sums->room * 2 - 1, at = (uint32_t)hash & mask;
    for (; sums->places[at]; at = (at + 1) & mask) {
        Cell *cell = &sums->cells[sums->places[at] - 1];
        if (cell->hash == hash && cell->hour == hour && cell->head == sum->head
            && cell->kind == kind && cell->names_size == size && !memcmp(cell->names, names, size))
            return cell;
    }
    char *kept = PyMem_Malloc(size ? size : 1);
    if (kept == NULL)
        return PyErr_NoMemory(), NULL;
    memcpy(kept, names, size);
    Cell *cell = &sums->cells[sums->held];
    *cell = (Cell){.hash = hash, .hour = hour, .head = sum->head, .kind = kind,
                   .names_size = (uint32_t)size, .names = kept};
    sums->places[at] = ++sums->held;
    return cell;
}

static Number *number_in(Cell *cell, uint32_t code)
{
    uint32_t at = (code * 0x9e3779b1u) >> 7 & (cell->room - 1);
    while (cell->numbers[at].used && cell->numbers[at].code != code)
        at = (at + 1) & (cell->room - 1);
    return &cell->numbers[at];
}

static int more_numbers(Cell *cell)
{
    Number *before = cell->numbers;
    uint32_t room = cell->room;
    Number *numbers = PyMem_Calloc(room ? room * 2 : 32, sizeof(Number));
    if (numbers == NULL)
        return PyErr_NoMemory(), -1;
    cell->numbers = numbers;
    cell->room = room ? room * 2 : 32;
    for (uint32_t i = 0; i < room; i++)
        if (before[i].used)
            *number_in(cell, before[i].code) = before[i];
    PyMem_Free(before);
    return 0;
}

static int add(Cell *cell, uint32_t code, int64_t amount)
{
    if (cell->held * 4 >= cell->room * 3 && more_numbers(cell))
        return -1;
    Number *number = number_in(cell, code);
    if (!number->used) {
        number->used = 1;
        number->code = code;
        cell->held++;
    }
    if (__builtin_add_overflow(number->sum, amount, &number->sum)) {
        PyErr_SetString(PyExc_OverflowError, "a sum of rollups is too large");
        return -1;
    }
    return 0;
}

static int add_plain(Cell *cell, int name, int64_t amount)
{
    return add(cell, CODE(F_PLAIN, 0, name), amount);
}

static int bucket_of(int64_t span)
{
    Py_ssize_t low = 0, high = ends_count;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (ends[middle] < span)
            low = middle + 1;
        else
            high = middle;
    }
    return (int)low;
}

static int add_span(Cell *cell, int family, int choice, int64_t span, int64_t sign)
{
    return add(cell, CODE(family, choice, S_N), sign)
        || add(cell, CODE(family, choice, S_MS), sign * span)
        || add(cell, CODE(family, choice, bucket_of(span)), sign);
}

static char *put(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

/* --- Entries ------------------------------------------------------------------------------- */

static int visit(const Sum *sum, const Entry *e)
{
    int64_t arrived, over, span;
    int64_t sign = sum->sign;
    if (e->count != 14 || number(e, 3, &arrived) || number(e, 4, &over))
        return wrong();
    /* stage and block, as they stand beside each other */
    const char *of = e->text + e->from[1];
    size_t size = e->to[2] - e->from[1];
    Cell *cell = cell_of(sum, K_BLOCK, arrived, of, size);
    if (cell == NULL || add_plain(cell, N_LINES, sign) || add_plain(cell, N_ARRIVED, sign))
        return -1;
    if (over != arrived) {
        cell = cell_of(sum, K_BLOCK, over, of, size);
        if (cell == NULL || add_plain(cell, N_LINES, sign))
            return -1;
    }
    int status = status_of(e, 5);
    if (status < 0 || add(cell, CODE(F_VISITS, status, 0), sign)
        || (!is_empty(e, 8) && add_plain(cell, N_RETRIES, sign))
        || (!is_empty(e, 9) && add_plain(cell, N_LOST, sign)))
        return -1;
    if (!is_empty(e, 6) && (number(e, 6, &span) || add_span(cell, F_QUEUE, 0, span, sign)))
        return -1;
    if (!is_empty(e, 7) && (number(e, 7, &span) || add_span(cell, F_WORK, 0, span, sign)))
        return -1;
    if (number(e, 10, &span) || (span && add_plain(cell, N_SHARE_QUEUE, sign * span)))
        return -1;
    if (number(e, 11, &span) || (span && add_plain(cell, N_SHARE_WORK, sign * span)))
        return -1;
    char names[NAMES_MAX];
    size_t source = e->to[12] - e->from[12], target = e->to[2] - e->from[2];
    if (source + target + 1 > NAMES_MAX)
        return wrong();
    char *end = put(names, e->text + e->from[12], source);
    *end++ = SEPARATOR;
    put(end, e->text + e->from[2], target);
    cell = cell_of(sum, K_EDGE, arrived, names, source + target + 1);
    if (cell == NULL || add_plain(cell, N_LINES, sign) || add_plain(cell, N_PASSED, sign))
        return -1;
    if (!is_empty(e, 13) && (number(e, 13, &span) || add_span(cell, F_WAIT, 0, span, sign)))
        return -1;
    return 0;
}

/* The entry itself, because it has as many fields as there are minutes. */
static int records(const Sum *sum, const Entry *e)
{
    size_t at = e->to[2];
    const char *of = e->text + e->from[1];
    size_t size = e->to[2] - e->from[1];
    Cell *cell = NULL;
    int64_t before = -1;
    while (at < e->size) {
        int64_t pair[2];
        for (int i = 0; i < 2; i++) {
            size_t from = at + 1;
            Py_ssize_t to = next_end(e, from);
            if (to < 0 || number_at(e->text, from, (size_t)to, &pair[i]))
                return wrong();
            at = (size_t)to;
        }
        if (pair[0] < 0 || pair[0] % 8 >= ranks_count)
            return wrong();
        int64_t minute = pair[0] / 8, hour = minute / 60, amount = sum->sign * pair[1];
        int rank = (int)(pair[0] % 8);
        if (cell == NULL || hour != before) {
            cell = cell_of(sum, K_BLOCK, hour, of, size);
            if (cell == NULL || add_plain(cell, N_LINES, sum->sign))
                return -1;
            before = hour;
        }
        if (add(cell, CODE(F_RECORDS, rank, 0), amount)
            || add(cell, CODE(F_MINUTES, rank, minute % 60), amount))
            return -1;
    }
    return 0;
}

static int transaction(const Sum *sum, const Entry *e)
{
    int64_t first, last, whole, busy, retries, sign = sum->sign;
    if (e->count != 8 || number(e, 1, &first) || number(e, 3, &last) || number(e, 4, &whole)
        || number(e, 5, &busy) || number(e, 6, &retries) || first < 0 || last < 0)
        return wrong();
    Cell *cell = cell_of(sum, K_FLOW, first / 60, "", 0);
    if (cell == NULL || add_plain(cell, N_LINES, sign) || add_plain(cell, N_STARTED, sign)
        || add(cell, CODE(F_MINUTES_STARTED, 0, first % 60), sign))
        return -1;
    cell = cell_of(sum, K_FLOW, last / 60, "", 0);
    int status = status_of(e, 2);
    if (cell == NULL || status < 0 || add_plain(cell, N_LINES, sign)
        || add_span(cell, F_THROUGHPUT, status, whole, sign))
        return -1;
    if (!strcmp(statuses[status], "in_transit"))
        return 0;
    if (add(cell, CODE(F_ENDED, status, 0), sign)
        || add(cell, CODE(F_MINUTES, status, last % 60), sign)
        || add_plain(cell, N_BUSY, sign * busy) || add_plain(cell, N_IDLE, sign * (whole - busy))
        || (retries && add_plain(cell, N_RETRIES, sign * retries)))
        return -1;
    char names[NAMES_MAX];
    size_t source = e->to[7] - e->from[7];
    if (source + 1 > NAMES_MAX)
        return wrong();
    *put(names, e->text + e->from[7], source) = SEPARATOR; /* before the name of no target */
    cell = cell_of(sum, K_EDGE, last / 60, names, source + 1);
    if (cell == NULL || add_plain(cell, N_LINES, sign) || add_plain(cell, N_PASSED, sign))
        return -1;
    return 0;
}

static int amount(Cell *cell, int64_t sign, const char *text, size_t from, size_t to)
{
    if (cell == NULL || add_plain(cell, N_LINES, sign))
        return -1;
    if (from < to && text[from] == '-') {
        sign = -sign;
        from++;
    }
    if (from == to)
        return wrong();
    for (int place = 0; place < LIMBS && to > from; place++) {
        size_t begin = from;
        int64_t limb;
        if (to - from > LIMB_DIGITS && place < LIMBS - 1)
            begin = to - LIMB_DIGITS;
        if (number_at(text, begin, to, &limb) || limb < 0)
            return wrong();
        if (limb && add_plain(cell, N_Q0 + place, sign * limb))
            return -1;
        to = begin;
    }
    return 0;
}

/* As many fields as there are amounts. */
static int amounts(const Sum *sum, const Entry *e)
{
    size_t at = e->to[2];
    size_t block = e->to[1] - e->from[1], vain = e->to[2] - e->from[2];
    while (at < e->size) {
        char names[NAMES_MAX], *end = names;
        size_t from[5], to[5];
        int64_t hour;
        for (int i = 0; i < 5; i++) {
            from[i] = at + 1;
            Py_ssize_t found = next_end(e, from[i]);
            if (found < 0)
                return wrong();
            to[i] = at = (size_t)found;
        }
        if (number_at(e->text, from[3], to[3], &hour))
            return -1;
        if (block + vain + (to[2] - from[0]) + 2 > NAMES_MAX)
            return wrong();
        int kind = from[0] < to[0] ? K_USAGE : K_COST;
        end = put(end, e->text + e->from[1], block);
        *end++ = SEPARATOR;
        /* resource, unit, lost as they stand; of posted cost: no resource */
        size_t begin = kind == K_USAGE ? from[0] : from[1];
        end = put(end, e->text + begin, to[2] - begin);
        *end++ = SEPARATOR;
        end = put(end, e->text + e->from[2], vain);
        Cell *cell = cell_of(sum, (uint32_t)kind, hour, names, (size_t)(end - names));
        if (amount(cell, sum->sign, e->text, from[4], to[4]))
            return -1;
    }
    return 0;
}

static int one(const Sum *sum, PyObject *text)
{
    Entry e = {.count = 0};
    Py_ssize_t size;
    size_t from = 0;
    if (!PyUnicode_Check(text))
        return wrong();
    if ((e.text = PyUnicode_AsUTF8AndSize(text, &size)) == NULL)
        return -1;
    e.size = (size_t)size;
    while (e.count < FIELDS_MAX) {
        Py_ssize_t to = next_end(&e, from);
        if (to < 0)
            break;
        e.from[e.count] = from;
        e.to[e.count++] = (size_t)to;
        from = (size_t)to + 1;
    }
    switch (e.to[0] == 1 ? e.text[0] : 0) {
    case 'v':
        return visit(sum, &e);
    case 'r':
        return e.count < 3 ? wrong() : records(sum, &e);
    case 't':
        return transaction(sum, &e);
    case 's':
        return e.count < 3 ? wrong() : amounts(sum, &e);
    default:
        return wrong();
    }
}

/* --- As Python sees them ------------------------------------------------------------------- */

PyDoc_STRVAR(add_doc, "add(tenant, flow, version, entries, sign)");

static PyObject *sums_add(Sums *self, PyObject *args)
{
    PyObject *tenant, *flow, *version, *entries;
    long long sign;
    if (!PyArg_ParseTuple(args, "UUUO!L", &tenant, &flow, &version, &PyList_Type, &entries, &sign))
        return NULL;
    PyObject *head = PyTuple_Pack(3, tenant, flow, version);
    if (head == NULL)
        return NULL;
    PyObject *index = PyDict_GetItemWithError(self->heads, head);
    long known = index == NULL ? (long)PyDict_GET_SIZE(self->heads) : PyLong_AsLong(index);
    if (index == NULL && !PyErr_Occurred() && (index = PyLong_FromLong(known)) != NULL) {
        PyDict_SetItem(self->heads, head, index);
        Py_DECREF(index);
    }
    Py_DECREF(head);
    if (PyErr_Occurred())
        return NULL;
    Sum sum = {.sums = self, .head = (uint32_t)known, .sign = sign};
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++)
        if (one(&sum, PyList_GET_ITEM(entries, i)))
            return NULL;
    Py_RETURN_NONE;
}

static PyObject *name_of(uint32_t code)
{
    static const char *const spans[] = {"queue", "work", "wait", "throughput."};
    int family = (int)(code >> 24), index = (int)(code & 0xffff);
    const char *status = statuses[code >> 16 & 0xff];
    switch (family) {
    case F_PLAIN:
        return PyUnicode_FromString(plain[index]);
    case F_VISITS:
        return PyUnicode_FromFormat("visits.%s", status);
    case F_ENDED:
        return PyUnicode_FromFormat("ended.%s", status);
    case F_RECORDS:
        return PyUnicode_FromFormat("records.%s", status);
    case F_MINUTES:
        return PyUnicode_FromFormat("minutes.%d.%s", index, status);
    case F_MINUTES_STARTED:
        return PyUnicode_FromFormat("minutes.%d.started", index);
    default: {
        const char *name = spans[family - F_QUEUE];
        if (family != F_THROUGHPUT)
            status = "";
        if (index == S_N)
            return PyUnicode_FromFormat("%s%s.n", name, status);
        if (index == S_MS)
            return PyUnicode_FromFormat("%s%s.ms", name, status);
        return PyUnicode_FromFormat("%s%s.b.%d", name, status, index);
    }
    }
}

static PyObject *numbers_of(const Cell *cell)
{
    PyObject *found = PyDict_New();
    for (uint32_t i = 0; found != NULL && i < cell->room; i++) {
        if (!cell->numbers[i].used)
            continue;
        PyObject *name = name_of(cell->numbers[i].code);
        PyObject *sum = name ? PyLong_FromLongLong(cell->numbers[i].sum) : NULL;
        if (sum == NULL || PyDict_SetItem(found, name, sum))
            Py_CLEAR(found);
        Py_XDECREF(sum);
        Py_XDECREF(name);
    }
    return found;
}

static PyObject *names_of(const Cell *cell)
{
    if (cell->kind == K_FLOW)
        return PyTuple_New(0);
    PyObject *text = PyUnicode_DecodeUTF8(cell->names, cell->names_size, NULL), *parts = NULL;
    PyObject *separator = PyUnicode_FromOrdinal(SEPARATOR);
    if (text != NULL && separator != NULL)
        parts = PyUnicode_Split(text, separator, -1);
    Py_XDECREF(text);
    Py_XDECREF(separator);
    PyObject *names = parts ? PyList_AsTuple(parts) : NULL;
    Py_XDECREF(parts);
    return names;
}

PyDoc_STRVAR(cells_doc, "cells() -> {(tenant, kind, flow, version, hour, names): {name: number}}");

static PyObject *sums_cells(Sums *self, PyObject *Py_UNUSED(none))
{
    PyObject *heads = PyDict_Keys(self->heads), *found = PyDict_New();
    for (uint32_t i = 0; heads && found && i < self->held; i++) {
        const Cell *cell = &self->cells[i];
        PyObject *head = PyList_GET_ITEM(heads, cell->head), *names = names_of(cell);
        PyObject *place = names == NULL ? NULL
            : Py_BuildValue("(OsOOLO)", PyTuple_GET_ITEM(head, 0), kinds[cell->kind],
                            PyTuple_GET_ITEM(head, 1), PyTuple_GET_ITEM(head, 2),
                            (long long)cell->hour, names);
        PyObject *numbers = place ? numbers_of(cell) : NULL;
        if (numbers == NULL || PyDict_SetItem(found, place, numbers))
            Py_CLEAR(found);
        Py_XDECREF(numbers);
        Py_XDECREF(place);
        Py_XDECREF(names);
    }
    if (heads == NULL)
        Py_CLEAR(found);
    Py_XDECREF(heads);
    return found;
}

static PyObject *sums_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(named))
{
    Sums *self = (Sums *)type->tp_alloc(type, 0); /* all of it 0 */
    if (self != NULL && (self->heads = PyDict_New()) == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void sums_dealloc(Sums *self)
{
    for (uint32_t i = 0; i < self->held; i++) {
        PyMem_Free(self->cells[i].names);
        PyMem_Free(self->cells[i].numbers);
    }
    PyMem_Free(self->cells);
    PyMem_Free(self->places);
    Py_XDECREF(self->heads);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef sums_methods[] = {
    {"add", (PyCFunction)sums_add, METH_VARARGS, add_doc},
    {"cells", (PyCFunction)sums_cells, METH_NOARGS, cells_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject sums_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "_tally.Sums",
    .tp_doc = PyDoc_STR("Sums by cell."),
    .tp_basicsize = sizeof(Sums),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = sums_new,
    .tp_dealloc = (destructor)sums_dealloc,
    .tp_methods = sums_methods,
};

static int know_statuses(PyObject *given)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(given); i++) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(given, i), &size);
        int known = 0;
        if (text == NULL)
            return -1;
        for (int k = 0; k < statuses_count; k++)
            known |= !strcmp(statuses[k], text);
        if (known)
            continue;
        char *kept = statuses_count < STATUSES_MAX ? PyMem_Malloc((size_t)size + 1) : NULL;
        if (kept == NULL)
            return PyErr_NoMemory(), -1;
        memcpy(kept, text, (size_t)size + 1);
        status_sizes[statuses_count] = (size_t)size;
        statuses[statuses_count++] = kept;
    }
    return 0;
}

static PyObject *tally_configure(PyObject *self, PyObject *args)
{
    PyObject *given, *ranked, *others;
    if (!PyArg_ParseTuple(args, "O!O!O!", &PyList_Type, &given, &PyTuple_Type, &ranked,
                          &PyTuple_Type, &others))
        return NULL;
    if (PyList_GET_SIZE(given) > ENDS_MAX) {
        PyErr_SetString(PyExc_ValueError, "too many ends of buckets");
        return NULL;
    }
    ends_count = PyList_GET_SIZE(given);
    for (Py_ssize_t i = 0; i < ends_count; i++) {
        ends[i] = PyLong_AsLongLong(PyList_GET_ITEM(given, i));
        if (ends[i] == -1 && PyErr_Occurred())
            return NULL;
    }
    if (statuses_count == 0) { /* once: codes of sums under way stand for them */
        if (know_statuses(ranked))
            return NULL;
        ranks_count = statuses_count;
        if (know_statuses(others))
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"configure", tally_configure, METH_VARARGS,
     "configure(ends of buckets, statuses of records by rank, those of transactions)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_tally", .m_size = -1, .m_methods = methods,
};

PyMODINIT_FUNC PyInit__tally(void)
{
    if (PyType_Ready(&sums_type) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL
        && (PyModule_AddIntConstant(made, "REVISION", REVISION) < 0
            || PyModule_AddObjectRef(made, "Sums", (PyObject *)&sums_type) < 0))
        Py_CLEAR(made);
    return made;
}
