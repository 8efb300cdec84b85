"""The failure catalogue: what can go wrong, and which of it cannot happen to which vendor.

The tests say by their `case` markers what they cover; `scripts/fault_coverage.py` puts both together.
"""

from __future__ import annotations

import typing as t

from tests.faults.subjects import SUBJECTS


class Case(t.NamedTuple):
    """A case.

    Attributes:
        priority: 0 for what blocks a release.
        fault: What goes wrong.
    """

    priority: int
    fault: str


CHAPTERS: t.Final = {
    "A": "Crash, checkpoint, resume",
    "B": "Cursor, ordering, time",
    "C": "Pagination",
    "D": "HTTP and transport",
    "E": "Authentication",
    "F": "Files",
    "G": "Data and schema",
    "H": "State",
    "I": "Process and standard output",
    "J": "Secrets and network safety",
}
"""By the first letter of the cases' numbers."""

CASES: t.Final = {
    "A1": Case(0, "SIGKILL after row k for every k"),
    "A2": Case(0, "Restart from each STATE emitted, not only the last"),
    "A3": Case(0, "500 on page 4 forever"),
    "A4": Case(0, "Code path swallows an error and returns early"),
    "A5": Case(0, "Two streams, first fails"),
    "A6": Case(1, "Crash during token refresh / during file download / between file end and STATE"),
    "A7": Case(1, "Kill target (not tap) mid-run, feed back target's last state"),
    "A8": Case(1, "Two runs in parallel with one state"),
    "A9": Case(1, "Run with no new data"),
    "A10": Case(1, "--test / dry-run, --discover"),
    "B1": Case(0, "25 rows with one timestamp across a page boundary, crash inside the tie"),
    "B2": Case(0, "Row inserted with older timestamp after the bookmark moved"),
    "B3": Case(1, "Same, lateness > lookback"),
    "B4": Case(0, "Timestamps with mixed offsets +10:00, Z, -0500"),
    "B5": Case(0, "Mixed precision: …00Z, …00.5Z, …00.123456789Z"),
    "B6": Case(0, "Row dated 2099"),
    "B7": Case(1, "Local clock 10 min fast / slow vs server"),
    "B8": Case(1, "DST: 01:30 twice in Europe/Berlin, naive local time"),
    "B9": Case(1, "NULL or missing replication key"),
    "B10": Case(1, "Ids as strings '9' < '10'"),
    "B11": Case(1, "int and string ids mixed"),
    "B12": Case(0, "API returns unsorted although documented sorted"),
    "B13": Case(1, "start_date later than bookmark"),
    "B14": Case(1, "Vendor truncates ms in the filter, not in the row"),
    "B15": Case(1, "Retention: bookmark older than vendor keeps"),
    "B16": Case(2, "Leap second 23:59:60, year 0001, 0000-00-00, epoch ms vs s"),
    "C1": Case(0, "Newest-first offset paging"),
    "C2": Case(0, "Rows removed before the offset while paging"),
    "C3": Case(0, "has_more=true, empty page, more after it"),
    "C4": Case(0, "has_more=false but next cursor given, or count < total"),
    "C5": Case(0, "Same cursor returned twice"),
    "C6": Case(0, "Cursor cycle A→B→A"),
    "C7": Case(1, "Endless fresh cursors with no new rows"),
    "C8": Case(1, "Server ignores limit (returns 7 instead of 100; or 1000)"),
    "C9": Case(1, "Server caps num_elements at 100 (Xandr) or max offset 10 000"),
    "C10": Case(1, "Expired/invalid cursor (400/410)"),
    "C11": Case(1, "Page repeats rows of the previous page"),
    "C12": Case(1, "Next cursor is 0, '', null, missing"),
    "C13": Case(1, "Same-second burst larger than one page with id paging (Cryptolens)"),
    "C14": Case(2, "Cursor with +, /, =, spaces, 8 KB"),
    "D1": Case(0, "429 Retry-After: 7"),
    "D2": Case(0, "Retry-After as HTTP-date (past, future, other zone, garbage)"),
    "D3": Case(0, "Retry-After: 86400, negative, 1e9, nan"),
    "D4": Case(0, "500/502/503/504 twice then ok"),
    "D5": Case(0, "503 for 10 min"),
    "D6": Case(1, "408, 425, 520-529, 501"),
    "D7": Case(0, "RST mid-body; FIN with short Content-Length"),
    "D8": Case(0, "Connection: close, no length, cut in half"),
    "D9": Case(0, "Content-Encoding: gzip cut, length matches"),
    "D10": Case(0, "HTTP 200 with {'error':…}, or {'status':'ERROR'}"),
    "D11": Case(0, "HTTP 200 HTML login / maintenance page"),
    "D12": Case(1, "204, empty body, null, [] where object expected"),
    "D13": Case(0, "3xx with allow_redirects=False"),
    "D14": Case(1, "Redirect loop, 31 hops, to file://, to http"),
    "D15": Case(0, "Slow-loris: 1 byte every 0.2 s, read timeout 1 s"),
    "D16": Case(1, "Accepts TCP, never answers"),
    "D17": Case(1, "DNS failure, refused, IPv6 only"),
    "D18": Case(1, "Headers 1 MB, 5 000 headers, invalid chunk size, HTTP/0.9, pipelined junk"),
    "D19": Case(1, "Dead keep-alive connection on 2nd page"),
    "D20": Case(0, "Bad certificate"),
    "D21": Case(1, "Throttled vendor (Xandr): 100 reads/min"),
    "E1": Case(0, "Token expires after page 3 (401)"),
    "E2": Case(0, "401 again after refresh"),
    "E3": Case(0, "Wrong client secret (400 invalid_client / 401)"),
    "E4": Case(0, "403 (scope missing)"),
    "E5": Case(0, "Token endpoint 500/503/timeout then ok"),
    "E6": Case(0, "Token endpoint 429"),
    "E7": Case(0, "Count tokens for 4 pages x 2 streams"),
    "E8": Case(1, "expires_in missing, 0, '3600', negative, float, 10^12"),
    "E9": Case(1, "Token 200 without access_token, HTML, error body"),
    "E10": Case(1, "Wall clock jumps back 2 h (suspend, NTP)"),
    "E11": Case(0, "Token endpoint answers 307 to another host"),
    "E12": Case(1, "Xandr: NOAUTH/NOAUTH_EXPIRED in a 200 body"),
    "E13": Case(1, "Secret with %, &, +, ', newline, non-ASCII"),
    "F1": Case(0, "md5 wrong once then right"),
    "F2": Case(0, "md5 always wrong"),
    "F3": Case(0, "File re-published: same hour, new md5, rows changed / fewer"),
    "F4": Case(1, "Re-published after the window"),
    "F5": Case(0, "Listed but 404 / 403 expired link"),
    "F6": Case(0, "Hour missing from list, later hours present"),
    "F7": Case(0, "Truncated gz (half; last 4 bytes; last 8 bytes)"),
    "F8": Case(1, "Trailing junk, two members, empty file, HTML named .gz, bit flip"),
    "F9": Case(0, "Gzip bomb (1 028 : 1 measured), also as Content-Encoding"),
    "F10": Case(0, "10 GB file / 1 GB row"),
    "F11": Case(0, "Disk full in temp (loop mount / RLIMIT_FSIZE), read-only temp"),
    "F12": Case(0, "CSV new column"),
    "F13": Case(0, "CSV column missing / reordered / renamed / duplicate header"),
    "F14": Case(0, "Quoted newline, doubled quote, CR only, \\r\\n in field"),
    "F15": Case(0, "Unterminated quote"),
    "F16": Case(1, "Short / long row"),
    "F17": Case(1, "UTF-8 BOM, UTF-16, invalid UTF-8, NUL, lone surrogate"),
    "F18": Case(1, "Field > 131 072 chars"),
    "F19": Case(0, "downloadURL on another host"),
    "F20": Case(0, "downloadURL = http://169.254.169.254/, http://localhost:22/, file:///etc/passw"),
    "F21": Case(1, "Path in fileName = ../../x"),
    "F22": Case(1, "Signed URL with blank or ordered parameters"),
    "F23": Case(1, "Header-only file, file with 0 rows"),
    "G1": Case(0, "New JSON field at root / nested"),
    "G2": Case(1, "Type change string→object, bool→'true', null"),
    "G3": Case(1, "NaN, Infinity"),
    "G4": Case(1, "1e999, 30-digit decimal"),
    "G5": Case(1, "20-digit int; 5 000-digit int"),
    "G6": Case(1, "Nesting 20 000"),
    "G7": Case(1, "NUL, lone surrogate \\ud800, emoji, RTL, 5 MB string"),
    "G8": Case(1, "Duplicate JSON keys"),
    "G9": Case(0, "Two different events with equal natural key; row without id"),
    "G10": Case(1, "Same event twice in one window"),
    "G11": Case(1, "Event changed later under the same id"),
    "G12": Case(1, "Record missing"),
    "H1": Case(0, "--state invalid JSON, empty file"),
    "H2": Case(0, "[], {}-like wrong shape, or a whole STATE message"),
    "H3": Case(0, "bookmarks: null, stream = list"),
    "H4": Case(0, "Bookmark 'garbage', wrong type, year 9999"),
    "H5": Case(0, "State from a newer tap version (version field)"),
    "H6": Case(1, "State of a removed stream"),
    "H7": Case(1, "Other replication_key in state"),
    "H8": Case(1, "Left-over progress_markers, signpost"),
    "H9": Case(1, "State size after 2 years of hourly md5s"),
    "H10": Case(0, "State never holds secrets, signed URLs, emails"),
    "H11": Case(1, "Other account/host than the state's"),
    "I1": Case(0, "SIGTERM at random times (200 times)"),
    "I2": Case(1, "SIGINT then SIGTERM within 0-2 ms (Meltano does this)"),
    "I3": Case(1, "SIGTERM while stdout pipe is full"),
    "I4": Case(0, "Target dies (| head -3)"),
    "I5": Case(0, "stdout closed / /dev/full"),
    "I6": Case(0, "print() by a library, warnings, tqdm"),
    "I7": Case(1, "LANG=C, PYTHONIOENCODING=latin1"),
    "I8": Case(1, "No TTY, closed stdin, read-only HOME, PYTHONWARNINGS=error"),
    "I9": Case(1, "Run longer than token life and than STATE interval"),
    "I10": Case(1, "OOM kill (RLIMIT_AS 256 MB) on big pages"),
    "J1": Case(0, "Canary secrets in config"),
    "J2": Case(0, "Connection refused with key in query"),
    "J3": Case(0, "LOGLEVEL=DEBUG"),
    "J4": Case(0, "Server echoes the secret in a 4xx/5xx body"),
    "J5": Case(0, "Wrong type: client_secret: 12345678"),
    "J6": Case(0, "--about, --about --format json, --discover, --help, README samples"),
    "J7": Case(0, "Redirect matrix"),
    "J8": Case(1, "~/.netrc has an entry for the redirect host"),
    "J9": Case(0, "Self-signed, expired, wrong host, TLS 1.0"),
    "J10": Case(1, "Corporate CA by REQUESTS_CA_BUNDLE"),
    "J11": Case(1, "HTTPS_PROXY, NO_PROXY, proxy with password, proxy 407"),
    "J12": Case(1, "http:// base URL in config"),
    "J13": Case(1, "CRLF / control chars in tokens or config"),
    "J14": Case(1, "Log injection: vendor message with newline / ANSI"),
    "J15": Case(1, "Config file mode 0644"),
    "J16": Case(1, "Partition context holds an id that is secret"),
    "J17": Case(1, "--config ENV picks up a foreign .env"),
    "J18": Case(1, "Supply chain: pip-audit, bandit, detect-secrets in CI; hashes pinned"),
}

ALL: t.Final = tuple(SUBJECTS)
_STATIC = ("pigment", "cryptolens")
_SWEPT = ("openx", "xandr")
_WITHOUT_FILES = ("pigment", "cryptolens", "openx", "xandr")

_NOT_APPLICABLE: t.Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("B1 B3 B6 B7 B9 B12 B13 B14 B16", ("index_exchange",), "no time cursor: the state is a manifest of files"),
    ("B3", ("cryptolens",), "ids, not times: a row is late only until its id is visible"),
    ("B4 B5", ("cryptolens",), "times are Unix seconds"),
    ("B4 B5", ("xandr", "index_exchange"), "one form of time, always UTC"),
    ("B8", ALL, "no vendor sends local time, but for Xandr deals, which are never filtered by time"),
    ("B9 B14", ("cryptolens",), "the key is the id, which the paging cannot do without"),
    ("B10 B11 C13", ("pigment", "openx", "xandr", "index_exchange"), "no cursor made of ids"),
    ("B15", ("openx",), "nothing is known to be removed"),
    ("C2", ("pigment",), "rows are removed at the old end only, which the window does not reach"),
    ("C2", ("cryptolens",), "the cursor is an id: what is removed shifts nothing"),
    ("C1 C2 C3 C5 C6 C7 C8 C9 C10 C11 C12", ("index_exchange",), "one list without pages"),
    ("C3 C4 C5 C6 C7", ("cryptolens",), "no word on more rows, and the cursor is the last id, which has to rise"),
    ("C5 C6 C10 C12 C14", _SWEPT, "offsets, no cursors"),
    ("C8", ("pigment",), "the size of a page is the vendor's"),
    ("C9", ("pigment", "cryptolens", "openx"), "no limit on the offset is known"),
    ("C10 C12 C14", ("cryptolens",), "cursors are ids"),
    ("C14", ("index_exchange",), "no cursor; for URLs see F22"),
    ("D10", ("pigment", "openx", "index_exchange"), "errors have a status of their own; no page at all is A4"),
    ("D21", ("cryptolens", "openx", "index_exchange"), "no limit is published; 429 is D1"),
    ("E1 E2 E5 E6 E7 E8 E9 E10 E11", _STATIC, "a key that does not expire, no login"),
    ("E8", _SWEPT[1:], "the vendor tells no lifetime"),
    ("E12", ("pigment", "cryptolens", "openx", "index_exchange"), "Xandr's own"),
    *((f"F{number}", _WITHOUT_FILES, "no files") for number in range(1, 24) if number != 9),
    ("G9", ("cryptolens", "xandr", "index_exchange"), "every row has a key of the vendor's or a place in a file"),
    ("G11", ("cryptolens",), "rows are only added; the one later change, of addresses after 24 months, is none to log"),
    ("H9", ("pigment", "cryptolens"), "one bookmark"),
    ("H11", _STATIC, "the account cannot be seen; docs/vendors say so"),
    ("H11", ("xandr", "index_exchange"), "ids are unique over all accounts; a manifest entry needs the same md5"),
    ("J16", ALL, "no partitions: the context is always empty"),
    ("J15 J17", ALL, "the SDK's command line; documented there"),
    ("I9", _STATIC, "no token"),
)
NOT_APPLICABLE: t.Final = {
    (number, vendor): why
    for numbers, vendors, why in _NOT_APPLICABLE
    for number in numbers.split()
    for vendor in vendors
}
"""Why a case cannot happen to a vendor."""

OPEN: t.Final = {
    ("B16", "pigment"): "an event that the vendor sends with an ingestion time before the window, such as of the year "
    "1, is left out without a word; other times that are none are kept",
}
"""Why a case that is tested in part counts as open."""
