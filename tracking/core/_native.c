/* The two inner loops of the product, in C: a usual record into its stored form, and back to its
 * leaf. Both give exactly what the Python code beside them gives, or nothing: whatever is not plain
 * is left to that code, which also finds the words (native.py says where it stands).
 *
 * Nothing here reads what a client or the database sent without a length: texts come from Python
 * objects, stored bytes are walked with a bound.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define REVISION 1
#define HASH_BYTES 32
#define SALT_BYTES 16
#define ATTRIBUTES_MAX 100
#define FIELDS_MAX 64
#define DEPTH_MAX 16
#define MEMBERS_MAX 512
#define INT_MAX_EXACT ((1LL << 53) - 1) /* as JSON has it */

/* --- A buffer that grows ------------------------------------------------------------------- */

typedef struct {
    char *at;
    Py_ssize_t len, cap;
} Buf;

static int grow(Buf *b, Py_ssize_t more)
{
    Py_ssize_t cap = b->cap ? b->cap : 1024;
    while (cap < b->len + more)
        cap *= 2;
    char *at = PyMem_Realloc(b->at, cap);
    if (at == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    b->at = at;
    b->cap = cap;
    return 0;
}

static inline int need(Buf *b, Py_ssize_t more)
{
    return b->len + more <= b->cap ? 0 : grow(b, more);
}

static inline int put(Buf *b, const void *from, Py_ssize_t count)
{
    if (need(b, count) < 0)
        return -1;
    memcpy(b->at + b->len, from, count);
    b->len += count;
    return 0;
}

#define LITERAL(b, text) put(b, text, sizeof(text) - 1)

static inline int put_byte(Buf *b, char byte)
{
    if (need(b, 1) < 0)
        return -1;
    b->at[b->len++] = byte;
    return 0;
}

static inline void little32(char *at, int32_t number)
{
    uint32_t n = (uint32_t)number;
    at[0] = (char)n, at[1] = (char)(n >> 8), at[2] = (char)(n >> 16), at[3] = (char)(n >> 24);
}

static inline int put_int32(Buf *b, int32_t number)
{
    if (need(b, 4) < 0)
        return -1;
    little32(b->at + b->len, number);
    b->len += 4;
    return 0;
}

static inline int put_int64(Buf *b, int64_t number)
{
    return put_int32(b, (int32_t)(uint32_t)(uint64_t)number) < 0
                   || put_int32(b, (int32_t)(uint32_t)((uint64_t)number >> 32)) < 0
               ? -1
               : 0;
}

static inline int32_t read32(const unsigned char *at)
{
    return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16
                     | (uint32_t)at[3] << 24);
}

static inline int64_t read64(const unsigned char *at)
{
    return (int64_t)((uint64_t)(uint32_t)read32(at) | (uint64_t)(uint32_t)read32(at + 4) << 32);
}

static int put_decimal(Buf *b, int64_t number)
{
    char text[24];
    int at = sizeof text;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        text[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        text[--at] = '-';
    return put(b, text + at, sizeof text - at);
}

static int put_hex(Buf *b, const unsigned char *bytes, Py_ssize_t count)
{
    static const char digits[] = "0123456789abcdef";
    if (need(b, 2 * count) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        b->at[b->len++] = digits[bytes[i] >> 4];
        b->at[b->len++] = digits[bytes[i] & 15];
    }
    return 0;
}

/* --- Texts --------------------------------------------------------------------------------- */

typedef struct {
    const char *at;
    Py_ssize_t len;
} Text;

/* 0: goes out as it is; else what it becomes after a backslash ('u': a code). RFC 8785, 3.2.2.2 */
static char escape_of[256];

static void init_escapes(void)
{
    memset(escape_of, 0, sizeof escape_of);
    memset(escape_of, 'u', 32);
    escape_of['\b'] = 'b', escape_of['\t'] = 't', escape_of['\n'] = 'n';
    escape_of['\f'] = 'f', escape_of['\r'] = 'r';
    escape_of['"'] = '"', escape_of['\\'] = '\\';
}

/* A text of valid UTF-8 as canonical JSON, between its quotes. */
static int put_json(Buf *b, Text text)
{
    if (need(b, text.len + 2) < 0)
        return -1;
    b->at[b->len++] = '"';
    Py_ssize_t from = 0;
    for (Py_ssize_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        char escape = escape_of[byte];
        if (!escape)
            continue;
        if (put(b, text.at + from, i - from) < 0 || put_byte(b, '\\') < 0
            || put_byte(b, escape) < 0)
            return -1;
        if (escape == 'u' && (LITERAL(b, "00") < 0 || put_hex(b, &byte, 1) < 0))
            return -1;
        from = i + 1;
    }
    if (put(b, text.at + from, text.len - from) < 0)
        return -1;
    return put_byte(b, '"');
}

/* What may be in a text: TEXT has lines, LINE none. NO: the careful reader decides. */
enum { NO = 0, LINE = 1, TEXT = 2 };

static int kind_of(Text text)
{
    int kind = LINE;
    for (Py_ssize_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte >= 0x20 && byte < 0x7f)
            continue;
        if (byte == '\t' || byte == '\n' || byte == '\r')
            kind = TEXT;
        else if (byte < 0x20 || byte == 0x7f)
            return NO;
        else if (byte == 0xc2 && i + 1 < text.len && (unsigned char)text.at[i + 1] < 0xa0)
            return NO; /* U+0080 to U+009F */
    }
    return kind;
}

/* 1: done, 0: a doubt, -1: an error is set. */
#define DOUBT 0
#define DONE 1

static int text_of(PyObject *object, Text *text)
{
    if (!PyUnicode_CheckExact(object))
        return DOUBT;
    text->at = PyUnicode_AsUTF8AndSize(object, &text->len);
    if (text->at == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
            return -1;
        PyErr_Clear(); /* half of a surrogate pair */
        return DOUBT;
    }
    return DONE;
}

static int is_printable(PyObject *object, Text text)
{
    Py_ssize_t i = 0;
    while (i < text.len && text.at[i] >= 0x20 && text.at[i] < 0x7f)
        i++;
    if (i == text.len)
        return DONE;
    if ((unsigned char)text.at[i] < 0x80)
        return DOUBT;
    PyObject *answer = PyObject_CallMethod(object, "isprintable", NULL);
    if (answer == NULL)
        return -1;
    int is = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return is;
}

static int less(Text a, Text b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order < 0 : a.len < b.len;
}

static inline int equal(Text a, Text b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* --- Times --------------------------------------------------------------------------------- */

/* Days since 1970-01-01 of the Gregorian calendar, and back (H. Hinnant's algorithms). */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t digits(const char *at, int count)
{
    int64_t number = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* Milliseconds since 1970 of yyyy-mm-ddThh:mm:ss[.digits] and Z or +00:00; -1: another text. */
static int64_t moment_of(Text text)
{
    const char *at = text.at;
    Py_ssize_t len = text.len;
    if (len >= 20 && at[len - 1] == 'Z')
        len -= 1;
    else if (len >= 25 && memcmp(at + len - 6, "+00:00", 6) == 0)
        len -= 6;
    else
        return -1;
    int64_t fraction = 0;
    if (len > 19) { /* cut to milliseconds */
        Py_ssize_t count = len - 20;
        if (at[19] != '.' || count < 1 || count > 9 || digits(at + 20, (int)count) < 0)
            return -1;
        fraction = digits(at + 20, count < 3 ? (int)count : 3);
        for (Py_ssize_t i = count; i < 3; i++)
            fraction *= 10;
    } else if (len != 19)
        return -1;
    if (at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':')
        return -1;
    int64_t year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2);
    int64_t hour = digits(at + 11, 2), minute = digits(at + 14, 2), second = digits(at + 17, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0
        || minute > 59 || second < 0 || second > 59)
        return -1;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return -1;
    int64_t seconds = ((days_of(year, (int)month, (int)day) * 24 + hour) * 60 + minute) * 60
                      + second;
    return seconds * 1000 + fraction;
}

/* As a leaf has it, for years of four digits. */
static int put_moment(Buf *b, int64_t ms)
{
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0)
        days -= 1, rest += 86400000;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * month + 2) / 5 + 1;
    year += era * 400;
    month += month < 10 ? 3 : -9;
    year += month <= 2;
    int64_t parts[] = {year / 100, year % 100, month, day, rest / 3600000, rest / 60000 % 60,
                       rest / 1000 % 60};
    static const char after[] = {0, '-', '-', 'T', ':', ':', '.'};
    if (need(b, 26) < 0)
        return -1;
    char *at = b->at + b->len;
    *at++ = '"';
    for (int i = 0; i < 7; i++) {
        *at++ = (char)('0' + parts[i] / 10);
        *at++ = (char)('0' + parts[i] % 10);
        if (after[i])
            *at++ = after[i];
    }
    int64_t fraction = rest % 1000;
    *at++ = (char)('0' + fraction / 100);
    *at++ = (char)('0' + fraction / 10 % 10);
    *at++ = (char)('0' + fraction % 10);
    *at++ = 'Z';
    *at++ = '"';
    b->len = at - b->at;
    return 0;
}

/* --- BSON out ------------------------------------------------------------------------------ */

static int begin(Buf *b, char type, const char *name, Py_ssize_t *start)
{
    if (put_byte(b, type) < 0 || put(b, name, (Py_ssize_t)strlen(name) + 1) < 0)
        return -1;
    *start = b->len;
    return put_int32(b, 0);
}

static int end(Buf *b, Py_ssize_t start)
{
    if (put_byte(b, 0) < 0)
        return -1;
    little32(b->at + start, (int32_t)(b->len - start));
    return 0;
}

static int bson_text(Buf *b, const char *name, Text text)
{
    Py_ssize_t size = (Py_ssize_t)strlen(name) + 1;
    if (need(b, size + text.len + 6) < 0)
        return -1;
    b->at[b->len++] = 0x02;
    memcpy(b->at + b->len, name, size);
    b->len += size;
    little32(b->at + b->len, (int32_t)(text.len + 1));
    b->len += 4;
    memcpy(b->at + b->len, text.at, text.len);
    b->len += text.len;
    b->at[b->len++] = 0;
    return 0;
}

static int bson_int(Buf *b, const char *name, int64_t number)
{
    int is_short = number >= INT32_MIN && number <= INT32_MAX;
    if (put_byte(b, is_short ? 0x10 : 0x12) < 0 || put(b, name, (Py_ssize_t)strlen(name) + 1) < 0)
        return -1;
    return is_short ? put_int32(b, (int32_t)number) : put_int64(b, number);
}

static int bson_moment(Buf *b, const char *name, int64_t ms)
{
    if (put_byte(b, 0x09) < 0 || put(b, name, (Py_ssize_t)strlen(name) + 1) < 0)
        return -1;
    return put_int64(b, ms);
}

static int bson_binary(Buf *b, const char *name, const void *bytes, int32_t count)
{
    if (put_byte(b, 0x05) < 0 || put(b, name, (Py_ssize_t)strlen(name) + 1) < 0
        || put_int32(b, count) < 0 || put_byte(b, 0) < 0)
        return -1;
    return put(b, bytes, count);
}

/* --- What Python has told (native.py) -------------------------------------------------------- */

static struct {
    unsigned char in_id[256];
    Py_ssize_t id_max, part_max;
    int64_t time_min, time_end, version;
    int amount[2], quantity[2];
    PyObject *currencies, *late, *skew, *sha256, *transaction_of, *lane_of;
} told;

enum {
    ID, OBJECT, TYPE, FLOW, BLOCK, STAGE, STATUS, OCCURRED, VERSION_, TRANSACTION, ATTEMPT, QUEUED,
    STARTED, ENDED, REASON, EXCEPTION, ATTRIBUTES, REFERENCES, PARENTS, USAGE, COST, PAYLOAD,
    SUBJECT, CORRECTS, FINAL, MESSAGE, CODE, LOCATION, STACKTRACE, RESOURCE, QUANTITY, UNIT, AMOUNT,
    CURRENCY, DIGEST, NAMES
};
static const char *const spelled[NAMES] = {
    "id", "object", "type", "flow", "block", "stage", "status", "occurred_at", "flow_version",
    "transaction", "attempt", "queued_at", "started_at", "ended_at", "reason", "exception",
    "attributes", "references", "parents", "usage", "cost", "payload", "subject", "corrects",
    "final", "message", "code", "location", "stacktrace", "resource", "quantity", "unit", "amount",
    "currency", "digest",
};
static PyObject *names[NAMES];

static int digest_of(const char *at, Py_ssize_t len, unsigned char *out)
{
    PyObject *bytes = PyBytes_FromStringAndSize(at, len);
    if (bytes == NULL)
        return -1;
    PyObject *hash = PyObject_CallOneArg(told.sha256, bytes);
    Py_DECREF(bytes);
    if (hash == NULL)
        return -1;
    PyObject *digest = PyObject_CallMethodNoArgs(hash, names[DIGEST]);
    Py_DECREF(hash);
    if (digest == NULL)
        return -1;
    if (!PyBytes_CheckExact(digest) || PyBytes_GET_SIZE(digest) != HASH_BYTES) {
        Py_DECREF(digest);
        PyErr_SetString(PyExc_TypeError, "sha256 must give 32 bytes");
        return -1;
    }
    memcpy(out, PyBytes_AS_STRING(digest), HASH_BYTES);
    Py_DECREF(digest);
    return 0;
}

/* --- A record into its stored form ---------------------------------------------------------- */

typedef struct {
    Text tenant, producer, batch, late, skew;
    PyObject *tenant_object, *part_of;
    int64_t moment, after, ahead, latest;
    Buf header, document, part, json;
} Stamp;

/* The fields of one record, borrowed by `held` until it has been written. */
typedef struct {
    PyObject *of[NAMES];
} Held;

static int is_id(Text text)
{
    if (text.len < 1 || text.len > told.id_max)
        return 0;
    for (Py_ssize_t i = 0; i < text.len; i++)
        if (!told.in_id[(unsigned char)text.at[i]])
            return 0;
    return 1;
}

/* -?(0|[1-9]\d*)(\.\d+)? with at most so many digits before and after the point. */
static int is_decimal(Text text, const int most[2], int sign)
{
    Py_ssize_t at = 0;
    if (sign && at < text.len && text.at[at] == '-')
        at++;
    Py_ssize_t from = at;
    while (at < text.len && text.at[at] >= '0' && text.at[at] <= '9')
        at++;
    Py_ssize_t count = at - from;
    if (count < 1 || count > most[0] || (text.at[from] == '0' && count > 1))
        return 0;
    if (at == text.len)
        return 1;
    if (text.at[at] != '.')
        return 0;
    count = text.len - at - 1;
    if (count < 1 || count > most[1])
        return 0;
    for (at++; at < text.len; at++)
        if (text.at[at] < '0' || text.at[at] > '9')
            return 0;
    return 1;
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        if (got_ != DONE)                                                                          \
            return got_;                                                                           \
    } while (0)
#define OUT(call)                                                                                  \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            return -1;                                                                             \
    } while (0)
#define SURE(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return DOUBT;                                                                          \
    } while (0)

static int line_of(PyObject *object, Text *text)
{
    TRY(text_of(object, text));
    return kind_of(*text) == LINE ? DONE : DOUBT;
}

static int time_of(PyObject *object, const Stamp *stamp, int64_t *ms)
{
    Text text;
    TRY(text_of(object, &text));
    *ms = moment_of(text);
    return *ms >= told.time_min && *ms < told.time_end && *ms <= stamp->latest ? DONE : DOUBT;
}

static int has_text(PyObject *object)
{
    return object != Py_None && PyUnicode_Check(object) && PyUnicode_GET_LENGTH(object) > 0;
}

static void index_name(char *name, Py_ssize_t index)
{
    PyOS_snprintf(name, 24, "%zd", index);
}

typedef struct {
    Text name;
    PyObject *value;
} Pair;

static int sorted_pairs(PyObject *dict, Pair *pairs, Py_ssize_t most, Py_ssize_t *count)
{
    PyObject *key, *value;
    Py_ssize_t place = 0, n = 0;
    SURE(PyDict_CheckExact(dict) && PyDict_GET_SIZE(dict) <= most);
    while (PyDict_Next(dict, &place, &key, &value)) {
        Pair pair = {{NULL, 0}, value};
        TRY(text_of(key, &pair.name));
        TRY(is_printable(key, pair.name));
        Py_ssize_t at = n++;
        for (; at > 0 && less(pair.name, pairs[at - 1].name); at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = pair;
    }
    *count = n;
    return DONE;
}

static int put_attributes(Buf *b, Buf *json, PyObject *given)
{
    Pair pairs[ATTRIBUTES_MAX];
    Py_ssize_t count, list, one;
    char name[24];
    TRY(sorted_pairs(given, pairs, ATTRIBUTES_MAX, &count));
    OUT(begin(b, 0x04, "attributes", &list));
    OUT(LITERAL(json, "\"attributes\":["));
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = pairs[i].value;
        index_name(name, i);
        OUT(begin(b, 0x03, name, &one));
        OUT(bson_text(b, "name", pairs[i].name));
        OUT(put(json, ",{\"name\":" + (i == 0), 9 - (i == 0)));
        OUT(put_json(json, pairs[i].name));
        OUT(LITERAL(json, ",\"value\":"));
        if (PyUnicode_CheckExact(value)) {
            Text text;
            TRY(text_of(value, &text));
            SURE(kind_of(text) != NO);
            OUT(bson_text(b, "value", text));
            OUT(put_json(json, text));
        } else if (PyBool_Check(value)) {
            int is = value == Py_True;
            OUT(put(b, "\x08value", 7));
            OUT(put_byte(b, (char)is));
            OUT(put(json, is ? "true" : "false", is ? 4 : 5));
        } else {
            SURE(PyLong_CheckExact(value));
            int overflow;
            int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
            SURE(!overflow);
            if (number == -1 && PyErr_Occurred())
                return -1;
            OUT(bson_int(b, "value", number));
            OUT(put_decimal(json, number));
        }
        OUT(end(b, one));
        OUT(put_byte(json, '}'));
    }
    OUT(end(b, list));
    OUT(LITERAL(json, "],"));
    return DONE;
}

static int put_references(Buf *b, Buf *json, PyObject *given)
{
    Pair pairs[ATTRIBUTES_MAX];
    Py_ssize_t count, list, one, values;
    char name[24];
    TRY(sorted_pairs(given, pairs, ATTRIBUTES_MAX, &count));
    OUT(begin(b, 0x04, "references", &list));
    OUT(LITERAL(json, "\"references\":["));
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = pairs[i].value, *const *items = &value;
        Py_ssize_t number = 1;
        if (PyList_CheckExact(value)) {
            number = PyList_GET_SIZE(value);
            items = PySequence_Fast_ITEMS(value);
        }
        index_name(name, i);
        OUT(begin(b, 0x03, name, &one));
        OUT(bson_text(b, "name", pairs[i].name));
        OUT(begin(b, 0x04, "values", &values));
        OUT(put(json, ",{\"name\":" + (i == 0), 9 - (i == 0)));
        OUT(put_json(json, pairs[i].name));
        OUT(LITERAL(json, ",\"values\":["));
        for (Py_ssize_t j = 0; j < number; j++) {
            Text text, other;
            TRY(line_of(items[j], &text));
            for (Py_ssize_t k = 0; k < j; k++) {
                TRY(text_of(items[k], &other));
                SURE(!equal(text, other));
            }
            index_name(name, j);
            OUT(bson_text(b, name, text));
            if (j)
                OUT(put_byte(json, ','));
            OUT(put_json(json, text));
        }
        OUT(end(b, values));
        OUT(end(b, one));
        OUT(LITERAL(json, "]}"));
    }
    OUT(end(b, list));
    OUT(LITERAL(json, "],"));
    return DONE;
}

/* `object.name`, kept in `held` until the record has been written. */
static int field(PyObject *object, int name, Held *held, PyObject **found)
{
    *found = PyObject_GetAttr(object, names[name]);
    if (*found == NULL)
        return -1;
    Py_XSETREF(held->of[name], *found);
    return DONE;
}

static int put_exception(Buf *b, Buf *json, PyObject *given)
{
    /* as it is stored, and where each stands in the order of names */
    static const int stored[] = {TYPE, MESSAGE, CODE, LOCATION, STACKTRACE};
    static const int by_name[] = {2, 3, 1, 4, 0};
    Held held = {{0}};
    Text texts[5];
    int got = DONE, some = 0;
    Py_ssize_t start;
    for (int i = 0; i < 5 && got == DONE; i++) {
        PyObject *value;
        texts[i].at = NULL;
        got = field(given, stored[i], &held, &value);
        if (got == DONE && value != Py_None) {
            got = text_of(value, &texts[i]);
            if (got == DONE && texts[i].len == 0)
                texts[i].at = NULL;
            if (got == DONE && texts[i].at != NULL) {
                some = 1;
                got = kind_of(texts[i]) != NO ? DONE : DOUBT;
            }
        }
    }
    if (got == DONE && !some)
        got = DOUBT;
    if (got == DONE) {
        int bad = begin(b, 0x03, "exception", &start) < 0 || LITERAL(json, "\"exception\":{") < 0;
        for (int i = 0; i < 5 && !bad; i++)
            if (texts[i].at != NULL)
                bad = bson_text(b, spelled[stored[i]], texts[i]) < 0;
        for (int i = 0; i < 5 && !bad; i++) {
            Text text = texts[by_name[i]];
            const char *name = spelled[stored[by_name[i]]];
            if (text.at != NULL)
                bad = put_byte(json, '"') < 0 || put(json, name, (Py_ssize_t)strlen(name)) < 0
                      || LITERAL(json, "\":") < 0 || put_json(json, text) < 0
                      || put_byte(json, ',') < 0;
        }
        if (!bad) {
            json->at[json->len - 1] = '}'; /* over the last comma */
            bad = put_byte(json, ',') < 0 || end(b, start) < 0;
        }
        got = bad ? -1 : DONE;
    }
    for (int i = 0; i < NAMES; i++)
        Py_XDECREF(held.of[i]);
    return got;
}

static int one_usage(Buf *b, Buf *json, PyObject *given, Held *held)
{
    PyObject *resource, *quantity, *unit;
    Text resource_text, quantity_text, unit_text;
    Py_ssize_t before = json->len;
    TRY(field(given, RESOURCE, held, &resource));
    TRY(field(given, QUANTITY, held, &quantity));
    TRY(field(given, UNIT, held, &unit));
    TRY(line_of(resource, &resource_text));
    TRY(line_of(unit, &unit_text));
    OUT(LITERAL(json, "{\"quantity\":\""));
    before = json->len;
    if (PyLong_CheckExact(quantity)) {
        int overflow;
        int64_t number = PyLong_AsLongLongAndOverflow(quantity, &overflow);
        SURE(!overflow);
        if (number == -1 && PyErr_Occurred())
            return -1;
        OUT(put_decimal(json, number));
    } else {
        TRY(text_of(quantity, &quantity_text)); /* a float has its own spelling */
        SURE(is_decimal(quantity_text, told.quantity, 0));
        OUT(put(json, quantity_text.at, quantity_text.len));
    }
    quantity_text.len = json->len - before;
    OUT(bson_text(b, "resource", resource_text));
    quantity_text.at = json->at + before;
    OUT(bson_text(b, "quantity", quantity_text));
    OUT(bson_text(b, "unit", unit_text));
    OUT(LITERAL(json, "\",\"resource\":"));
    OUT(put_json(json, resource_text));
    OUT(LITERAL(json, ",\"unit\":"));
    OUT(put_json(json, unit_text));
    OUT(put_byte(json, '}'));
    return DONE;
}

static int put_usage(Buf *b, Buf *json, PyObject *given)
{
    Py_ssize_t list, one;
    char name[24];
    SURE(PyList_CheckExact(given));
    OUT(begin(b, 0x04, "usage", &list));
    OUT(LITERAL(json, "\"usage\":["));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given); i++) {
        Held held = {{0}};
        index_name(name, i);
        OUT(begin(b, 0x03, name, &one));
        if (i)
            OUT(put_byte(json, ','));
        int got = one_usage(b, json, PyList_GET_ITEM(given, i), &held);
        for (int j = 0; j < NAMES; j++)
            Py_XDECREF(held.of[j]);
        TRY(got);
        OUT(end(b, one));
    }
    OUT(end(b, list));
    OUT(LITERAL(json, "],"));
    return DONE;
}

static int put_cost(Buf *b, Buf *json, PyObject *given, Held *held)
{
    PyObject *amount, *currency;
    Text amount_text, currency_text;
    Py_ssize_t start;
    TRY(field(given, AMOUNT, held, &amount));
    TRY(field(given, CURRENCY, held, &currency));
    TRY(text_of(amount, &amount_text));
    TRY(text_of(currency, &currency_text));
    SURE(is_decimal(amount_text, told.amount, 1));
    int known = PySet_Contains(told.currencies, currency);
    if (known <= 0)
        return known;
    OUT(begin(b, 0x03, "cost", &start));
    OUT(bson_text(b, "amount", amount_text));
    OUT(bson_text(b, "currency", currency_text));
    OUT(end(b, start));
    OUT(LITERAL(json, "\"cost\":{\"amount\":"));
    OUT(put_json(json, amount_text));
    OUT(LITERAL(json, ",\"currency\":"));
    OUT(put_json(json, currency_text));
    OUT(LITERAL(json, "},"));
    return DONE;
}

static int put_line(Buf *b, Buf *json, int name, Text text)
{
    if (b != NULL)
        OUT(bson_text(b, spelled[name], text));
    OUT(put_byte(json, '"'));
    OUT(put(json, spelled[name], (Py_ssize_t)strlen(spelled[name])));
    OUT(LITERAL(json, "\":"));
    OUT(put_json(json, text));
    return put_byte(json, ',') < 0 ? -1 : DONE;
}

static int is_given(PyObject *value)
{
    return value != Py_None;
}

/* The part by the Python reader: it gives its stored bytes and its canonical text. */
static int part_by_python(PyObject *wire, PyObject *part_of, Buf *b, Buf *json)
{
    PyObject *got = PyObject_CallOneArg(part_of, wire);
    if (got == NULL)
        return -1;
    int done = DOUBT;
    if (got != Py_None) {
        PyObject *stored, *text;
        if (!PyArg_ParseTuple(got, "SS", &stored, &text))
            done = -1;
        else if (PyBytes_GET_SIZE(text) > told.part_max)
            done = DOUBT;
        else if (PyBytes_GET_SIZE(stored) > 5
                 && (LITERAL(b, "\x03part\0") < 0
                     || put(b, PyBytes_AS_STRING(stored), PyBytes_GET_SIZE(stored)) < 0))
            done = -1;
        else
            done = put(json, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)) < 0 ? -1 : DONE;
    }
    Py_DECREF(got);
    return done;
}

/* The erasable part into `b`, as the member of the document, and into `json`. */
static int put_part(PyObject *wire, PyObject *part_of, Held *held, Buf *b, Buf *json)
{
    PyObject *reason, *exception, *attributes, *references, *usage, *cost, *payload, *subject;
    TRY(field(wire, REASON, held, &reason));
    TRY(field(wire, EXCEPTION, held, &exception));
    TRY(field(wire, ATTRIBUTES, held, &attributes));
    TRY(field(wire, REFERENCES, held, &references));
    TRY(field(wire, USAGE, held, &usage));
    TRY(field(wire, COST, held, &cost));
    TRY(field(wire, PAYLOAD, held, &payload));
    TRY(field(wire, SUBJECT, held, &subject));
    int by_python = is_given(payload);
    if (!by_python && PyDict_CheckExact(attributes)) {
        PyObject *value;
        Py_ssize_t place = 0;
        while (!by_python && PyDict_Next(attributes, &place, NULL, &value))
            by_python = !(PyUnicode_CheckExact(value) || PyLong_CheckExact(value)
                          || PyBool_Check(value));
    }
    if (!by_python && PyList_CheckExact(usage))
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(usage) && !by_python; i++) {
            PyObject *quantity = PyObject_GetAttr(PyList_GET_ITEM(usage, i), names[QUANTITY]);
            if (quantity == NULL)
                return -1;
            by_python = PyFloat_CheckExact(quantity);
            Py_DECREF(quantity);
        }
    if (by_python)
        return part_by_python(wire, part_of, b, json);
    Text text;
    Py_ssize_t start, from = json->len;
    int given = 0;
    /* Stored in another order than the canonical one: texts go first where they are stored. */
    OUT(begin(b, 0x03, "part", &start));
    if (has_text(reason)) {
        TRY(text_of(reason, &text));
        SURE(kind_of(text) != NO);
        OUT(bson_text(b, "reason", text));
    }
    /* exception, attributes, references, usage, cost are stored in this order */
    Buf texts[5] = {{0}};
    int got = DONE;
    if (is_given(exception))
        got = put_exception(b, &texts[0], exception);
    if (got == DONE && PyDict_CheckExact(attributes) && PyDict_GET_SIZE(attributes))
        got = put_attributes(b, &texts[1], attributes);
    if (got == DONE && PyDict_CheckExact(references) && PyDict_GET_SIZE(references))
        got = put_references(b, &texts[2], references);
    if (got == DONE && PyList_CheckExact(usage) && PyList_GET_SIZE(usage))
        got = put_usage(b, &texts[3], usage);
    if (got == DONE && is_given(cost))
        got = put_cost(b, &texts[4], cost, held);
    if (got == DONE && put_byte(json, '{') < 0)
        got = -1;
    static const int by_name[] = {1, 4, 0, -REASON, 2, -SUBJECT, 3};
    for (int i = 0; i < 7 && got == DONE; i++) {
        int which = by_name[i];
        if (which >= 0) {
            given |= texts[which].len > 0;
            if (put(json, texts[which].at, texts[which].len) < 0)
                got = -1;
            continue;
        }
        PyObject *value = which == -REASON ? reason : subject;
        if (!has_text(value))
            continue;
        given = 1;
        got = which == -REASON ? text_of(value, &text) : line_of(value, &text);
        if (got == DONE)
            got = put_line(NULL, json, -which, text);
    }
    for (int i = 0; i < 5; i++)
        PyMem_Free(texts[i].at);
    TRY(got);
    if (has_text(subject)) {
        TRY(text_of(subject, &text));
        OUT(bson_text(b, "subject", text));
    }
    OUT(end(b, start));
    if (given)
        json->at[json->len - 1] = '}';
    else {
        OUT(put_byte(json, '}'));
        b->len = 0;
    }
    return json->len - from <= told.part_max ? DONE : DOUBT;
}

static int call_text(PyObject *function, PyObject *const *args, Py_ssize_t count, PyObject **found)
{
    *found = PyObject_Vectorcall(function, args, count, NULL);
    return *found == NULL ? -1 : DONE;
}

static int stamp_fields(PyObject *wire, Stamp *stamp, Held *held, int64_t index,
                        const unsigned char *salt, unsigned char *leaf)
{
    PyObject *value, *thing;
    Text id, object_id, object_type, flow, block, stage, status, transaction;
    Buf *h = &stamp->header, *d = &stamp->document, *part = &stamp->part, *json = &stamp->json;
    h->len = d->len = part->len = json->len = 0;

    /* What few records have is left to Python. */
    static const int rare[] = {VERSION_, PARENTS, CORRECTS};
    for (int i = 0; i < 3; i++) {
        TRY(field(wire, rare[i], held, &value));
        SURE(value == Py_None || (PyList_CheckExact(value) && PyList_GET_SIZE(value) == 0));
    }
    TRY(field(wire, FINAL, held, &value));
    SURE(value == Py_False);

    TRY(field(wire, OBJECT, held, &thing));
    PyObject *object_id_ = PyObject_GetAttr(thing, names[ID]);
    if (object_id_ == NULL)
        return -1;
    Py_XSETREF(held->of[RESOURCE], object_id_); /* a free place */
    TRY(text_of(object_id_, &object_id));
    TRY(is_printable(object_id_, object_id));
    PyObject *type_;
    TRY(field(thing, TYPE, held, &type_));
    TRY(text_of(type_, &object_type));
    TRY(is_printable(type_, object_type));
    PyObject *flow_;
    TRY(field(wire, FLOW, held, &flow_));
    TRY(text_of(flow_, &flow));
    TRY(is_printable(flow_, flow));
    TRY(field(wire, BLOCK, held, &value));
    TRY(text_of(value, &block));
    TRY(is_printable(value, block));
    TRY(field(wire, ID, held, &value));
    TRY(text_of(value, &id));
    SURE(is_id(id));
    TRY(field(wire, STAGE, held, &value));
    TRY(text_of(value, &stage));
    TRY(field(wire, STATUS, held, &value));
    TRY(text_of(value, &status));

    PyObject *transaction_;
    TRY(field(wire, TRANSACTION, held, &transaction_));
    if (transaction_ == Py_None) {
        PyObject *args[] = {flow_, type_, object_id_};
        TRY(call_text(told.transaction_of, args, 3, &transaction_));
        Py_SETREF(held->of[TRANSACTION], transaction_);
        TRY(text_of(transaction_, &transaction));
    } else {
        TRY(text_of(transaction_, &transaction));
        SURE(is_id(transaction));
    }
    PyObject *lane_, *args[] = {stamp->tenant_object, transaction_};
    TRY(call_text(told.lane_of, args, 2, &lane_));
    long lane = PyLong_AsLong(lane_);
    Py_DECREF(lane_);
    if (lane == -1 && PyErr_Occurred())
        return -1;

    TRY(field(wire, ATTEMPT, held, &value));
    SURE(PyLong_CheckExact(value));
    long attempt = PyLong_AsLong(value);
    if (attempt == -1 && PyErr_Occurred())
        return -1;

    int64_t occurred, times[3], previous = INT64_MIN;
    int has[3];
    TRY(field(wire, OCCURRED, held, &value));
    TRY(time_of(value, stamp, &occurred));
    for (int i = 0; i < 3; i++) {
        TRY(field(wire, QUEUED + i, held, &value));
        has[i] = value != Py_None;
        if (!has[i])
            continue;
        TRY(time_of(value, stamp, &times[i]));
        SURE(times[i] >= previous);
        previous = times[i];
    }

    OUT(put(json, salt, SALT_BYTES)); /* the hash is of the salt and the text */
    TRY(put_part(wire, stamp->part_of, held, part, json));
    int needs_reason = equal(status, (Text){"filtered", 8});
    if (needs_reason || equal(status, (Text){"failed", 6}))
        SURE(has_text(held->of[REASON]) || (!needs_reason && is_given(held->of[EXCEPTION])));
    unsigned char digest[HASH_BYTES];
    OUT(digest_of(json->at, json->len, digest));

    const Text *mark = occurred > stamp->ahead ? &stamp->skew
                       : occurred < stamp->after ? &stamp->late
                                                 : NULL;
    Py_ssize_t start;
    /* The document: fields in the order in which the driver writes them. */
    OUT(put_int32(d, 0));
    char key[256 + 1 + 128];
    SURE(stamp->tenant.len <= 256 && id.len <= 128);
    memcpy(key, stamp->tenant.at, stamp->tenant.len);
    key[stamp->tenant.len] = '/';
    memcpy(key + stamp->tenant.len + 1, id.at, id.len);
    Text whole = {key, stamp->tenant.len + 1 + id.len};
    OUT(bson_text(d, "_id", whole));
    OUT(bson_int(d, "v", told.version));
    OUT(bson_text(d, "tenant", stamp->tenant));
    OUT(bson_int(d, "lane", lane));
    OUT(bson_text(d, "object_id", object_id));
    OUT(bson_text(d, "object_type", object_type));
    OUT(bson_text(d, "flow", flow));
    OUT(bson_text(d, "block", block));
    OUT(bson_text(d, "transaction", transaction));
    OUT(bson_text(d, "stage", stage));
    OUT(bson_text(d, "status", status));
    OUT(bson_int(d, "attempt", attempt));
    OUT(bson_moment(d, "occurred_at", occurred));
    OUT(bson_moment(d, "recorded_at", stamp->moment));
    OUT(bson_text(d, "producer", stamp->producer));
    OUT(bson_text(d, "batch", stamp->batch));
    OUT(bson_int(d, "index", index));
    OUT(bson_binary(d, "part_hash", digest, HASH_BYTES));
    OUT(bson_binary(d, "salt", salt, SALT_BYTES));
    for (int i = 0; i < 3; i++)
        if (has[i])
            OUT(bson_moment(d, spelled[QUEUED + i], times[i]));
    if (mark != NULL) {
        OUT(begin(d, 0x04, "marks", &start));
        OUT(bson_text(d, "0", *mark));
        OUT(end(d, start));
    }
    OUT(put(d, part->at, part->len));
    OUT(end(d, 0));

    /* What the leaf covers: fields in the order of their names. */
    OUT(put(h, "\0{\"_id\":", 8));
    OUT(put_json(h, whole));
    OUT(LITERAL(h, ",\"attempt\":"));
    OUT(put_decimal(h, attempt));
    OUT(LITERAL(h, ",\"batch\":"));
    OUT(put_json(h, stamp->batch));
    OUT(LITERAL(h, ",\"block\":"));
    OUT(put_json(h, block));
    if (has[2]) {
        OUT(LITERAL(h, ",\"ended_at\":"));
        OUT(put_moment(h, times[2]));
    }
    OUT(LITERAL(h, ",\"flow\":"));
    OUT(put_json(h, flow));
    OUT(LITERAL(h, ",\"index\":"));
    OUT(put_decimal(h, index));
    OUT(LITERAL(h, ",\"lane\":"));
    OUT(put_decimal(h, lane));
    if (mark != NULL) {
        OUT(LITERAL(h, ",\"marks\":["));
        OUT(put_json(h, *mark));
        OUT(put_byte(h, ']'));
    }
    OUT(LITERAL(h, ",\"object_id\":"));
    OUT(put_json(h, object_id));
    OUT(LITERAL(h, ",\"object_type\":"));
    OUT(put_json(h, object_type));
    OUT(LITERAL(h, ",\"occurred_at\":"));
    OUT(put_moment(h, occurred));
    OUT(LITERAL(h, ",\"part_hash\":\""));
    OUT(put_hex(h, digest, HASH_BYTES));
    OUT(LITERAL(h, "\",\"producer\":"));
    OUT(put_json(h, stamp->producer));
    if (has[0]) {
        OUT(LITERAL(h, ",\"queued_at\":"));
        OUT(put_moment(h, times[0]));
    }
    OUT(LITERAL(h, ",\"recorded_at\":"));
    OUT(put_moment(h, stamp->moment));
    OUT(LITERAL(h, ",\"stage\":"));
    OUT(put_json(h, stage));
    if (has[1]) {
        OUT(LITERAL(h, ",\"started_at\":"));
        OUT(put_moment(h, times[1]));
    }
    OUT(LITERAL(h, ",\"status\":"));
    OUT(put_json(h, status));
    OUT(LITERAL(h, ",\"tenant\":"));
    OUT(put_json(h, stamp->tenant));
    OUT(LITERAL(h, ",\"transaction\":"));
    OUT(put_json(h, transaction));
    OUT(LITERAL(h, ",\"v\":"));
    OUT(put_decimal(h, told.version));
    OUT(put_byte(h, '}'));
    return digest_of(h->at, h->len, leaf) < 0 ? -1 : DONE;
}

static PyObject *stamp_one(PyObject *wire, Stamp *stamp, int64_t index, const unsigned char *salt)
{
    Held held = {{0}};
    unsigned char leaf[HASH_BYTES];
    int got = stamp_fields(wire, stamp, &held, index, salt, leaf);
    for (int i = 0; i < NAMES; i++)
        Py_XDECREF(held.of[i]);
    if (got < 0)
        return NULL;
    if (got == DOUBT)
        Py_RETURN_NONE;
    return Py_BuildValue("y#y#", stamp->document.at, stamp->document.len, leaf,
                         (Py_ssize_t)HASH_BYTES);
}

PyDoc_STRVAR(stamp_doc,
             "stamp(wires, first, tenant, producer, batch, moment, after, ahead, latest, salts,\n"
             "      part_of)\n"
             "The stored bytes and the leaf of each wire record, None where there is any doubt.\n"
             "Times are milliseconds since 1970; what occurred before `after` is marked late,\n"
             "beyond `ahead` as clock skew, beyond `latest` it is no time of a record.\n"
             "`part_of(wire)` gives the stored bytes and the canonical text of a part that is\n"
             "read in Python, None where it has a doubt.");

static PyObject *native_stamp(PyObject *self, PyObject *args)
{
    PyObject *wires, *out = NULL;
    PyObject *tenant, *producer, *batch;
    Py_buffer salts;
    long long first, moment, after, ahead, latest;
    Stamp stamp;
    memset(&stamp, 0, sizeof stamp);
    if (!PyArg_ParseTuple(args, "O!LUUULLLLy*O", &PyList_Type, &wires, &first, &tenant, &producer,
                          &batch, &moment, &after, &ahead, &latest, &salts, &stamp.part_of))
        return NULL;
    if (told.sha256 == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "not configured");
        goto done;
    }
    stamp.tenant_object = tenant;
    stamp.moment = moment, stamp.after = after, stamp.ahead = ahead, stamp.latest = latest;
    PyObject *given[] = {tenant, producer, batch, told.late, told.skew};
    Text *texts[] = {&stamp.tenant, &stamp.producer, &stamp.batch, &stamp.late, &stamp.skew};
    for (int i = 0; i < 5; i++) {
        texts[i]->at = PyUnicode_AsUTF8AndSize(given[i], &texts[i]->len);
        if (texts[i]->at == NULL)
            goto done;
    }
    Py_ssize_t count = PyList_GET_SIZE(wires);
    if (salts.len != count * SALT_BYTES) {
        PyErr_SetString(PyExc_ValueError, "a salt for each record");
        goto done;
    }
    out = PyList_New(count);
    for (Py_ssize_t i = 0; out != NULL && i < count; i++) {
        PyObject *wire = PyList_GET_ITEM(wires, i);
        Py_INCREF(wire);
        PyObject *one = stamp_one(wire, &stamp, first + i,
                                  (unsigned char *)salts.buf + i * SALT_BYTES);
        Py_DECREF(wire);
        if (one == NULL)
            Py_CLEAR(out);
        else
            PyList_SET_ITEM(out, i, one);
    }
done:
    PyMem_Free(stamp.header.at);
    PyMem_Free(stamp.document.at);
    PyMem_Free(stamp.part.at);
    PyMem_Free(stamp.json.at);
    PyBuffer_Release(&salts);
    return out;
}

/* --- A stored record back to its leaf --------------------------------------------------------- */

typedef struct {
    unsigned char type;
    Text name;
    const unsigned char *at; /* the value */
    Py_ssize_t size;
} Member;

/* Size of a value within `left` bytes; -1: it does not fit, or is of a type no record has. */
static Py_ssize_t size_of(unsigned char type, const unsigned char *at, Py_ssize_t left)
{
    int32_t size;
    switch (type) {
    case 0x02:
        if (left < 5 || (size = read32(at)) < 1 || size > left - 4 || at[3 + (Py_ssize_t)size] != 0)
            return -1;
        return 4 + (Py_ssize_t)size;
    case 0x03:
    case 0x04:
        if (left < 5 || (size = read32(at)) < 5 || size > left || at[size - 1] != 0)
            return -1;
        return size;
    case 0x05:
        if (left < 5 || (size = read32(at)) < 0 || size > left - 5)
            return -1;
        return 5 + (Py_ssize_t)size;
    case 0x08:
        return left < 1 ? -1 : 1;
    case 0x10:
        return left < 4 ? -1 : 4;
    case 0x01:
    case 0x09:
    case 0x12:
        return left < 8 ? -1 : 8;
    default:
        return -1;
    }
}

/* The members of the document at `at`, whose size has been checked; -1: it is not plain. */
static int members_of(const unsigned char *at, Py_ssize_t size, Member *members, int most)
{
    Py_ssize_t place = 4;
    int count = 0;
    while (place < size - 1) {
        if (count == most)
            return -1;
        Member *m = &members[count++];
        m->type = at[place++];
        const unsigned char *end = memchr(at + place, 0, size - 1 - place);
        if (end == NULL)
            return -1;
        m->name = (Text){(const char *)at + place, end - (at + place)};
        place += m->name.len + 1;
        m->at = at + place;
        m->size = size_of(m->type, at + place, size - 1 - place);
        if (m->size < 0)
            return -1;
        place += m->size;
    }
    return place == size - 1 ? count : -1;
}

/* A stored text as canonical JSON; DOUBT where it is no valid UTF-8. */
static int stored_text(Buf *out, Text text)
{
    for (Py_ssize_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] >= 0x80) {
            PyObject *decoded = PyUnicode_DecodeUTF8(text.at, text.len, NULL);
            if (decoded == NULL) {
                if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
                    return -1;
                PyErr_Clear();
                return DOUBT;
            }
            Py_DECREF(decoded);
            break;
        }
    return put_json(out, text) < 0 ? -1 : DONE;
}

static inline Text text_in(const Member *m)
{
    return (Text){(const char *)m->at + 4, m->size - 5};
}

enum { FIELDS, LIST, TEXTS }; /* TEXTS: some texts and nothing else */

static int part_json(Buf *out, const unsigned char *at, Py_ssize_t size, int kind, int depth);

static int part_value(Buf *out, const Member *m, int depth)
{
    int64_t number;
    switch (m->type) {
    case 0x02:
        return stored_text(out, text_in(m));
    case 0x08:
        SURE(m->at[0] <= 1);
        return put(out, m->at[0] ? "true" : "false", m->at[0] ? 4 : 5) < 0 ? -1 : DONE;
    case 0x10:
        return put_decimal(out, read32(m->at)) < 0 ? -1 : DONE;
    case 0x12:
        number = read64(m->at);
        SURE(number < INT32_MIN || number > INT32_MAX); /* else it has 32 bits */
        SURE(number >= -INT_MAX_EXACT && number <= INT_MAX_EXACT);
        return put_decimal(out, number) < 0 ? -1 : DONE;
    case 0x03:
    case 0x04:
        return part_json(out, m->at, m->size, m->type == 0x04 ? LIST : FIELDS, depth + 1);
    default:
        return DOUBT;
    }
}

/* An embedded document or array as canonical JSON. */
static int part_json(Buf *out, const unsigned char *at, Py_ssize_t size, int kind, int depth)
{
    int is_list = kind != FIELDS;
    Member few[24], *members = few;
    int order[MEMBERS_MAX], got = DONE;
    SURE(depth <= DEPTH_MAX);
    int count = members_of(at, size, few, 24);
    if (count < 0 && size > 24 * 3) {
        members = PyMem_Malloc(MEMBERS_MAX * sizeof(Member));
        if (members == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        count = members_of(at, size, members, MEMBERS_MAX);
    }
    if (count < 0 || (kind == TEXTS && count == 0))
        got = DOUBT;
    for (int i = 0; i < count && got == DONE; i++) {
        order[i] = i;
        if (kind == TEXTS && members[i].type != 0x02)
            got = DOUBT;
        if (is_list) {
            char name[24];
            index_name(name, i);
            if (!equal(members[i].name, (Text){name, (Py_ssize_t)strlen(name)}))
                got = DOUBT;
            continue;
        }
        int place = i;
        for (; place > 0 && less(members[i].name, members[order[place - 1]].name); place--)
            order[place] = order[place - 1];
        order[place] = i;
        if (place > 0 && equal(members[order[place - 1]].name, members[i].name))
            got = DOUBT; /* a field that stands twice */
    }
    if (got == DONE && put_byte(out, is_list ? '[' : '{') < 0)
        got = -1;
    for (int i = 0; i < count && got == DONE; i++) {
        const Member *m = &members[order[i]];
        if (i && put_byte(out, ',') < 0)
            got = -1;
        if (got == DONE && !is_list) {
            got = stored_text(out, m->name);
            if (got == DONE && put_byte(out, ':') < 0)
                got = -1;
        }
        if (got == DONE)
            got = part_value(out, m, depth);
    }
    if (got == DONE && put_byte(out, is_list ? ']' : '}') < 0)
        got = -1;
    if (members != few)
        PyMem_Free(members);
    return got;
}

static int put_signature(Buf *out, const Member *members, int count)
{
    out->len = 0;
    for (int i = 0; i < count; i++)
        if (put_byte(out, (char)members[i].type) < 0
            || put(out, members[i].name.at, members[i].name.len + 1) < 0)
            return -1;
    return 0;
}

PyDoc_STRVAR(signature_doc, "signature(data)\nType and name of each field of a stored document,\n"
                            "each name with a zero byte after it; None where it has no plain form.");

static PyObject *native_signature(PyObject *self, PyObject *arg)
{
    Py_buffer data;
    Member members[FIELDS_MAX];
    Buf out = {0};
    PyObject *found = NULL;
    if (PyObject_GetBuffer(arg, &data, PyBUF_SIMPLE) < 0)
        return NULL;
    int count = -1;
    const unsigned char *at = data.buf;
    if (data.len >= 5 && read32(at) == data.len && at[data.len - 1] == 0)
        count = members_of(at, data.len, members, FIELDS_MAX);
    if (count < 0)
        found = Py_NewRef(Py_None);
    else if (put_signature(&out, members, count) == 0)
        found = PyBytes_FromStringAndSize(out.at, out.len);
    PyMem_Free(out.at);
    PyBuffer_Release(&data);
    return found;
}

/* Where in a plan the fields stand that are more than hashed. */
enum { P_ID, P_TENANT, P_TRANSACTION, P_LANE, P_V, P_BATCH, P_INDEX, P_RECORDED, P_HASH, P_SALT,
       P_PART, P_ORDER };
#define P_NONE 255

/* The row of one stored record: (batch, index, leaf, _id, tenant, ms of recorded_at). */
static int row_of(const unsigned char *at, Py_ssize_t size, PyObject *plans, Buf *out, Buf *text,
                  PyObject **row)
{
    Member members[FIELDS_MAX];
    int count = members_of(at, size, members, FIELDS_MAX);
    SURE(count > 0);
    OUT(put_signature(text, members, count));
    PyObject *signature = PyBytes_FromStringAndSize(text->at, text->len);
    if (signature == NULL)
        return -1;
    PyObject *plan_ = PyDict_GetItemWithError(plans, signature);
    Py_DECREF(signature);
    if (plan_ == NULL)
        return PyErr_Occurred() ? -1 : DOUBT;
    SURE(PyBytes_CheckExact(plan_));
    const unsigned char *plan = (const unsigned char *)PyBytes_AS_STRING(plan_);
    Py_ssize_t planned = PyBytes_GET_SIZE(plan_);
    SURE(planned > P_ORDER);
    for (Py_ssize_t i = 0; i < planned; i++)
        SURE(plan[i] < count || (i == P_PART && plan[i] == P_NONE));

    const Member *salt = &members[plan[P_SALT]], *hash = &members[plan[P_HASH]];
    SURE(salt->type == 0x05 && salt->at[4] == 0 && salt->size == 5 + SALT_BYTES);
    SURE(hash->type == 0x05 && hash->at[4] == 0 && hash->size == 5 + HASH_BYTES);
    out->len = 0;
    OUT(put(out, salt->at + 5, SALT_BYTES));
    if (plan[P_PART] == P_NONE)
        OUT(LITERAL(out, "{}"));
    else {
        const Member *part = &members[plan[P_PART]];
        SURE(part->type == 0x03 && part->size > 5);
        TRY(part_json(out, part->at, part->size, FIELDS, 0));
    }
    unsigned char digest[HASH_BYTES];
    OUT(digest_of(out->at, out->len, digest));
    SURE(memcmp(digest, hash->at + 5, HASH_BYTES) == 0);

    out->len = 0;
    OUT(put(out, "\0{", 2));
    for (Py_ssize_t i = P_ORDER; i < planned; i++) {
        const Member *m = &members[plan[i]];
        OUT(put(out, ",\"" + (i == P_ORDER), 2 - (i == P_ORDER)));
        OUT(put(out, m->name.at, m->name.len)); /* a known name: nothing to escape */
        OUT(LITERAL(out, "\":"));
        int64_t number;
        switch (m->type) {
        case 0x02:
            TRY(stored_text(out, text_in(m)));
            break;
        case 0x04:
            TRY(part_json(out, m->at, m->size, TEXTS, 0));
            break;
        case 0x08:
            SURE(m->at[0] == 1); /* what is false is not stored */
            OUT(LITERAL(out, "true"));
            break;
        case 0x05:
            SURE(m->at[4] == 0);
            OUT(put_byte(out, '"'));
            OUT(put_hex(out, m->at + 5, m->size - 5));
            OUT(put_byte(out, '"'));
            break;
        case 0x09:
            number = read64(m->at);
            SURE(number >= told.time_min && number < told.time_end);
            OUT(put_moment(out, number));
            break;
        case 0x10:
            OUT(put_decimal(out, read32(m->at)));
            break;
        default:
            return DOUBT;
        }
    }
    OUT(put_byte(out, '}'));
    OUT(digest_of(out->at, out->len, digest));

    const Member *id = &members[plan[P_ID]], *tenant = &members[plan[P_TENANT]];
    const Member *transaction = &members[plan[P_TRANSACTION]], *batch = &members[plan[P_BATCH]];
    const Member *recorded = &members[plan[P_RECORDED]];
    const Member *numbers[] = {&members[plan[P_LANE]], &members[plan[P_V]], &members[plan[P_INDEX]]};
    SURE(id->type == 0x02 && tenant->type == 0x02 && transaction->type == 0x02
         && batch->type == 0x02 && recorded->type == 0x09);
    for (int i = 0; i < 3; i++)
        SURE(numbers[i]->type == 0x10);
    SURE(read32(numbers[1]->at) == told.version);
    Text key = text_in(id), owner = text_in(tenant), of = text_in(transaction), name = text_in(batch);
    SURE(key.len > owner.len && key.at[owner.len] == '/'
         && memcmp(key.at, owner.at, owner.len) == 0);
    PyObject *tenant_ = PyUnicode_DecodeUTF8(owner.at, owner.len, NULL);
    PyObject *transaction_ = PyUnicode_DecodeUTF8(of.at, of.len, NULL);
    int got = tenant_ == NULL || transaction_ == NULL ? -1 : DONE;
    if (got == DONE) {
        PyObject *lane_ = NULL, *args[] = {tenant_, transaction_};
        got = call_text(told.lane_of, args, 2, &lane_);
        if (got == DONE) {
            long lane = PyLong_AsLong(lane_);
            Py_DECREF(lane_);
            if (lane == -1 && PyErr_Occurred())
                got = -1;
            else if (lane != read32(numbers[0]->at))
                got = DOUBT;
        }
    }
    if (got == DONE) {
        *row = Py_BuildValue("s#iy#s#OL", name.at, name.len, (int)read32(numbers[2]->at), digest,
                             (Py_ssize_t)HASH_BYTES, key.at, key.len, tenant_,
                             (long long)read64(recorded->at));
        if (*row == NULL)
            got = -1;
    }
    Py_XDECREF(tenant_);
    Py_XDECREF(transaction_);
    return got;
}

PyDoc_STRVAR(rows_doc,
             "rows(data, plans)\n"
             "For each stored document of a raw batch its row (batch, index, leaf, _id, tenant, ms\n"
             "of recorded_at), or its bytes where there is any doubt. `plans`: by signature the\n"
             "places of the fields (native.py). ValueError: the batch itself cannot be cut.");

static PyObject *native_rows(PyObject *self, PyObject *args)
{
    Py_buffer data;
    PyObject *plans, *rows = NULL;
    Buf out = {0}, text = {0};
    if (!PyArg_ParseTuple(args, "y*O!", &data, &PyDict_Type, &plans))
        return NULL;
    if (told.sha256 == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "not configured");
        goto done;
    }
    rows = PyList_New(0);
    const unsigned char *at = data.buf;
    Py_ssize_t left = data.len;
    while (rows != NULL && left > 0) {
        int32_t size = left < 5 ? 0 : read32(at);
        if (size < 5 || size > left) {
            PyErr_SetString(PyExc_ValueError, "a document that has no size");
            Py_CLEAR(rows);
            break;
        }
        PyObject *row = NULL;
        int got = at[size - 1] == 0 ? row_of(at, size, plans, &out, &text, &row) : DOUBT;
        if (got == DOUBT)
            row = PyBytes_FromStringAndSize((const char *)at, size);
        if (row == NULL || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
        at += size;
        left -= size;
    }
done:
    PyMem_Free(out.at);
    PyMem_Free(text.at);
    PyBuffer_Release(&data);
    return rows;
}

/* --- The module ------------------------------------------------------------------------------- */

PyDoc_STRVAR(configure_doc, "configure(...)\nWhat both loops have to know of the rules; once.");

static PyObject *native_configure(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *keys[] = {"in_id", "id_max", "part_max", "time_min", "time_end", "version",
                           "amount", "quantity", "currencies", "late", "skew", "sha256",
                           "transaction_of", "lane_of", NULL};
    const char *in_id;
    Py_ssize_t in_id_len;
    long long time_min, time_end, version;
    PyObject *objects[6];
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "y#nnLLL(ii)(ii)O!UUOOO", keys, &in_id, &in_id_len, &told.id_max,
            &told.part_max, &time_min, &time_end, &version, &told.amount[0], &told.amount[1],
            &told.quantity[0], &told.quantity[1], &PyFrozenSet_Type, &objects[0], &objects[1],
            &objects[2], &objects[3], &objects[4], &objects[5]))
        return NULL;
    memset(told.in_id, 0, sizeof told.in_id);
    for (Py_ssize_t i = 0; i < in_id_len; i++)
        told.in_id[(unsigned char)in_id[i]] = 1;
    told.time_min = time_min, told.time_end = time_end, told.version = version;
    PyObject **places[] = {&told.currencies, &told.late, &told.skew, &told.sha256,
                           &told.transaction_of, &told.lane_of};
    for (int i = 0; i < 6; i++)
        Py_XSETREF(*places[i], Py_NewRef(objects[i]));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"configure", (PyCFunction)(void (*)(void))native_configure, METH_VARARGS | METH_KEYWORDS,
     configure_doc},
    {"stamp", native_stamp, METH_VARARGS, stamp_doc},
    {"signature", native_signature, METH_O, signature_doc},
    {"rows", native_rows, METH_VARARGS, rows_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "tracking.core._native", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    init_escapes();
    for (int i = 0; i < NAMES; i++) {
        names[i] = PyUnicode_InternFromString(spelled[i]);
        if (names[i] == NULL)
            return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddIntConstant(module, "REVISION", REVISION) < 0)
        Py_CLEAR(module);
    return module;
}
