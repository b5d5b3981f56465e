/* Entries of rollups into sums, in C: what tally.py says, for each entry of each transaction that
 * changes. That code stays the rule; a test holds the two against each other.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#define REVISION 1
#define FIELDS_MAX 16
#define SEPARATOR 0x1f
#define LIMB_DIGITS 9
#define LIMBS 4
#define ENDS_MAX 4096

static int64_t ends[ENDS_MAX];
static Py_ssize_t ends_count;

enum {
    K_BLOCK, K_EDGE, K_FLOW, K_USAGE, K_COST,
    N_LINES, N_ARRIVED, N_RETRIES, N_LOST, N_PASSED, N_STARTED, N_BUSY, N_IDLE, N_SHARE_QUEUE,
    N_SHARE_WORK, N_Q0, N_Q1, N_Q2, N_Q3, N_EMPTY, NAMES
};
static const char *const spelled[NAMES] = {
    "block", "edge", "flow", "usage", "cost",
    "lines", "arrived", "retries", "lost", "passed", "started", "busy_ms", "idle_ms",
    "share.queue_ms", "share.work_ms", "q0", "q1", "q2", "q3", "",
};
static PyObject *names[NAMES];
static PyObject *statuses; /* by rank */

typedef struct {
    PyObject *cells, *tenant, *flow, *version;
    int64_t sign;
} Sum;

typedef struct {
    PyObject *text;
    Py_ssize_t from[FIELDS_MAX], to[FIELDS_MAX];
    int count;
} Entry;

/* --- Fields -------------------------------------------------------------------------------- */

static PyObject *field(const Entry *e, int index)
{
    if (e->from[index] == e->to[index])
        return Py_NewRef(names[N_EMPTY]);
    return PyUnicode_Substring(e->text, e->from[index], e->to[index]);
}

static inline int is_empty(const Entry *e, int index)
{
    return e->from[index] == e->to[index];
}

static int wrong(void)
{
    PyErr_SetString(PyExc_ValueError, "not an entry of rollups");
    return -1;
}

static int number_at(PyObject *text, Py_ssize_t from, Py_ssize_t to, int64_t *number)
{
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    int negative = from < to && PyUnicode_READ(kind, data, from) == '-';
    int64_t found = 0;
    from += negative;
    if (from == to || to - from > 18)
        return wrong();
    for (; from < to; from++) {
        Py_UCS4 digit = PyUnicode_READ(kind, data, from) - '0';
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

/* --- Cells --------------------------------------------------------------------------------- */

/* A borrowed cell; takes the reference to `of`, which may be NULL after an error. */
static PyObject *cell_of(const Sum *sum, int kind, int64_t hour, PyObject *of)
{
    PyObject *cell = NULL, *at = NULL, *place = NULL;
    if (of == NULL)
        return NULL;
    at = PyLong_FromLongLong(hour);
    if (at != NULL)
        place = PyTuple_Pack(6, sum->tenant, names[kind], sum->flow, sum->version, at, of);
    if (place != NULL) {
        cell = PyDict_GetItemWithError(sum->cells, place);
        if (cell == NULL && !PyErr_Occurred()) {
            cell = PyDict_New();
            if (cell != NULL) {
                int bad = PyDict_SetItem(sum->cells, place, cell);
                Py_DECREF(cell);
                if (bad)
                    cell = NULL;
            }
        }
    }
    Py_XDECREF(place);
    Py_XDECREF(at);
    Py_DECREF(of);
    return cell;
}

static int add(PyObject *cell, PyObject *name, int64_t amount)
{
    PyObject *before = PyDict_GetItemWithError(cell, name), *after;
    int64_t known = 0;
    if (before != NULL) {
        known = PyLong_AsLongLong(before);
        if (known == -1 && PyErr_Occurred())
            return -1;
    } else if (PyErr_Occurred()) {
        return -1;
    }
    if (__builtin_add_overflow(known, amount, &known)) {
        PyErr_SetString(PyExc_OverflowError, "a sum of rollups is too large");
        return -1;
    }
    after = PyLong_FromLongLong(known);
    if (after == NULL)
        return -1;
    int bad = PyDict_SetItem(cell, name, after);
    Py_DECREF(after);
    return bad;
}

static int add_made(PyObject *cell, PyObject *name, int64_t amount)
{
    if (name == NULL)
        return -1;
    int bad = add(cell, name, amount);
    Py_DECREF(name);
    return bad;
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

static int add_span(PyObject *cell, const char *name, PyObject *of, int64_t span, int64_t sign)
{
    PyObject *stem = of ? PyUnicode_FromFormat("%s.%U", name, of) : PyUnicode_FromString(name);
    if (stem == NULL)
        return -1;
    int bad = add_made(cell, PyUnicode_FromFormat("%U.n", stem), sign)
        || add_made(cell, PyUnicode_FromFormat("%U.ms", stem), sign * span)
        || add_made(cell, PyUnicode_FromFormat("%U.b.%d", stem, bucket_of(span)), sign);
    Py_DECREF(stem);
    return bad ? -1 : 0;
}

static PyObject *two(const Entry *e, int one, int other)
{
    PyObject *a = field(e, one), *b = field(e, other), *pair = NULL;
    if (a != NULL && b != NULL)
        pair = PyTuple_Pack(2, a, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return pair;
}

/* --- Entries ------------------------------------------------------------------------------- */

static int visit(const Sum *sum, const Entry *e)
{
    int64_t arrived, over, span;
    int64_t sign = sum->sign;
    if (e->count != 14 || number(e, 3, &arrived) || number(e, 4, &over))
        return PyErr_Occurred() ? -1 : wrong();
    PyObject *of = two(e, 1, 2);
    PyObject *cell = cell_of(sum, K_BLOCK, arrived, Py_XNewRef(of));
    if (cell == NULL || add(cell, names[N_LINES], sign) || add(cell, names[N_ARRIVED], sign))
        goto bad;
    if (over != arrived) {
        cell = cell_of(sum, K_BLOCK, over, Py_NewRef(of));
        if (cell == NULL || add(cell, names[N_LINES], sign))
            goto bad;
    }
    Py_CLEAR(of);
    PyObject *status = field(e, 5);
    if (status == NULL)
        return -1;
    int failed = add_made(cell, PyUnicode_FromFormat("visits.%U", status), sign);
    Py_DECREF(status);
    if (failed || (!is_empty(e, 8) && add(cell, names[N_RETRIES], sign))
        || (!is_empty(e, 9) && add(cell, names[N_LOST], sign)))
        return -1;
    if (!is_empty(e, 6) && (number(e, 6, &span) || add_span(cell, "queue", NULL, span, sign)))
        return -1;
    if (!is_empty(e, 7) && (number(e, 7, &span) || add_span(cell, "work", NULL, span, sign)))
        return -1;
    if (number(e, 10, &span) || (span && add(cell, names[N_SHARE_QUEUE], sign * span)))
        return -1;
    if (number(e, 11, &span) || (span && add(cell, names[N_SHARE_WORK], sign * span)))
        return -1;
    cell = cell_of(sum, K_EDGE, arrived, two(e, 12, 2));
    if (cell == NULL || add(cell, names[N_LINES], sign) || add(cell, names[N_PASSED], sign))
        return -1;
    if (!is_empty(e, 13) && (number(e, 13, &span) || add_span(cell, "wait", NULL, span, sign)))
        return -1;
    return 0;
bad:
    Py_XDECREF(of);
    return -1;
}

/* Where the next field of an entry ends; -1 where there is none, or after an error. */
static Py_ssize_t next_end(PyObject *text, Py_ssize_t size, Py_ssize_t from)
{
    if (from > size)
        return -1;
    Py_ssize_t at = PyUnicode_FindChar(text, SEPARATOR, from, size, 1);
    return at == -1 ? size : at;
}

/* The entry itself, because it has as many fields as there are minutes. */
static int records(const Sum *sum, const Entry *e)
{
    Py_ssize_t at = e->to[2], size = PyUnicode_GET_LENGTH(e->text);
    PyObject *of = two(e, 1, 2), *cell = NULL;
    int64_t before = -1;
    if (of == NULL)
        return -1;
    while (at < size) {
        int64_t pair[2];
        for (int i = 0; i < 2; i++) {
            Py_ssize_t from = at + 1;
            at = next_end(e->text, size, from);
            if (at < 0)
                goto wrong;
            if (number_at(e->text, from, at, &pair[i]))
                goto bad;
        }
        if (pair[0] < 0)
            goto wrong;
        int64_t minute = pair[0] / 8, hour = minute / 60, amount = sum->sign * pair[1];
        PyObject *status = PyTuple_GetItem(statuses, pair[0] % 8);
        if (status == NULL)
            goto bad;
        if (cell == NULL || hour != before) {
            cell = cell_of(sum, K_BLOCK, hour, Py_NewRef(of));
            if (cell == NULL || add(cell, names[N_LINES], sum->sign))
                goto bad;
            before = hour;
        }
        if (add_made(cell, PyUnicode_FromFormat("records.%U", status), amount)
            || add_made(cell, PyUnicode_FromFormat("minutes.%d.%U", (int)(minute % 60), status),
                        amount))
            goto bad;
    }
    Py_DECREF(of);
    return 0;
wrong:
    if (!PyErr_Occurred())
        wrong();
bad:
    Py_DECREF(of);
    return -1;
}

static int transaction(const Sum *sum, const Entry *e)
{
    int64_t first, last, whole, busy, retries, sign = sum->sign;
    if (e->count != 8 || number(e, 1, &first) || number(e, 3, &last) || number(e, 4, &whole)
        || number(e, 5, &busy) || number(e, 6, &retries))
        return PyErr_Occurred() ? -1 : wrong();
    PyObject *cell = cell_of(sum, K_FLOW, first / 60, PyTuple_New(0));
    if (cell == NULL || add(cell, names[N_LINES], sign) || add(cell, names[N_STARTED], sign)
        || add_made(cell, PyUnicode_FromFormat("minutes.%d.started", (int)(first % 60)), sign))
        return -1;
    cell = cell_of(sum, K_FLOW, last / 60, PyTuple_New(0));
    PyObject *status = field(e, 2);
    int bad = cell == NULL || status == NULL || add(cell, names[N_LINES], sign)
        || add_span(cell, "throughput", status, whole, sign);
    if (!bad && PyUnicode_CompareWithASCIIString(status, "in_transit") == 0) {
        Py_DECREF(status);
        return 0;
    }
    bad = bad || add_made(cell, PyUnicode_FromFormat("ended.%U", status), sign)
        || add_made(cell, PyUnicode_FromFormat("minutes.%d.%U", (int)(last % 60), status), sign)
        || add(cell, names[N_BUSY], sign * busy) || add(cell, names[N_IDLE], sign * (whole - busy))
        || (retries && add(cell, names[N_RETRIES], sign * retries));
    Py_XDECREF(status);
    if (bad)
        return -1;
    PyObject *source = field(e, 7), *of = NULL;
    if (source != NULL)
        of = PyTuple_Pack(2, source, names[N_EMPTY]);
    Py_XDECREF(source);
    cell = cell_of(sum, K_EDGE, last / 60, of);
    if (cell == NULL || add(cell, names[N_LINES], sign) || add(cell, names[N_PASSED], sign))
        return -1;
    return 0;
}

static int one_amount(const Sum *sum, PyObject *block, PyObject *vain, PyObject *const given[3],
                      int64_t hour, PyObject *text, Py_ssize_t from, Py_ssize_t to)
{
    int kind = PyUnicode_GET_LENGTH(given[0]) ? K_USAGE : K_COST;
    int64_t sign = sum->sign;
    PyObject *of = kind == K_USAGE ? PyTuple_Pack(5, block, given[0], given[1], given[2], vain)
                                   : PyTuple_Pack(4, block, given[1], given[2], vain);
    PyObject *cell = cell_of(sum, kind, hour, of);
    if (cell == NULL || add(cell, names[N_LINES], sign))
        return -1;
    if (from < to && PyUnicode_READ_CHAR(text, from) == '-') {
        sign = -sign;
        from++;
    }
    if (from == to)
        return wrong();
    for (int place = 0; place < LIMBS && to > from; place++) {
        Py_ssize_t begin = to - LIMB_DIGITS;
        int64_t limb;
        if (begin < from || place == LIMBS - 1)
            begin = from;
        if (number_at(text, begin, to, &limb) || limb < 0)
            return PyErr_Occurred() ? -1 : wrong();
        if (limb && add(cell, names[N_Q0 + place], sign * limb))
            return -1;
        to = begin;
    }
    return 0;
}

/* As many fields as there are amounts. */
static int amounts(const Sum *sum, const Entry *e)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(e->text), at = e->to[2];
    PyObject *block = field(e, 1), *vain = field(e, 2);
    int bad = block == NULL || vain == NULL;
    while (!bad && at < size) {
        PyObject *given[3] = {NULL, NULL, NULL};
        Py_ssize_t from[5], to[5];
        int64_t hour;
        for (int i = 0; i < 5 && !bad; i++) {
            from[i] = at + 1;
            to[i] = at = next_end(e->text, size, from[i]);
            if (at < 0)
                bad = PyErr_Occurred() ? 1 : wrong();
        }
        for (int i = 0; i < 3 && !bad; i++) {
            given[i] = PyUnicode_Substring(e->text, from[i], to[i]);
            bad = given[i] == NULL;
        }
        bad = bad || number_at(e->text, from[3], to[3], &hour)
            || one_amount(sum, block, vain, given, hour, e->text, from[4], to[4]);
        for (int i = 0; i < 3; i++)
            Py_XDECREF(given[i]);
    }
    Py_XDECREF(block);
    Py_XDECREF(vain);
    return bad ? -1 : 0;
}

static int one(const Sum *sum, PyObject *text)
{
    Entry e = {.text = text, .count = 0};
    if (!PyUnicode_Check(text))
        return wrong();
    Py_ssize_t size = PyUnicode_GET_LENGTH(text), from = 0;
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    for (Py_ssize_t at = 0; at <= size && e.count < FIELDS_MAX; at++)
        if (at == size || PyUnicode_READ(kind, data, at) == SEPARATOR) {
            e.from[e.count] = from;
            e.to[e.count++] = at;
            from = at + 1;
        }
    Py_UCS4 first = e.to[0] == 1 ? PyUnicode_READ(kind, data, 0) : 0;
    switch (first) {
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

PyDoc_STRVAR(add_doc, "add(cells, tenant, flow, version, entries, sign)");

static PyObject *tally_add(PyObject *self, PyObject *args)
{
    Sum sum;
    PyObject *entries;
    long long sign;
    if (!PyArg_ParseTuple(args, "O!UUUO!L", &PyDict_Type, &sum.cells, &sum.tenant, &sum.flow,
                          &sum.version, &PyList_Type, &entries, &sign))
        return NULL;
    sum.sign = sign;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); i++)
        if (one(&sum, PyList_GET_ITEM(entries, i)))
            return NULL;
    Py_RETURN_NONE;
}

static PyObject *tally_configure(PyObject *self, PyObject *args)
{
    PyObject *given, *ranked;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &given, &PyTuple_Type, &ranked))
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
    Py_XSETREF(statuses, Py_NewRef(ranked));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"configure", tally_configure, METH_VARARGS, "configure(ends of buckets, statuses by rank)"},
    {"add", tally_add, METH_VARARGS, add_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_tally", .m_size = -1, .m_methods = methods,
};

PyMODINIT_FUNC PyInit__tally(void)
{
    for (int i = 0; i < NAMES; i++)
        if ((names[i] = PyUnicode_InternFromString(spelled[i])) == NULL)
            return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddIntConstant(made, "REVISION", REVISION) < 0)
        Py_CLEAR(made);
    return made;
}
