"""Checks an evidence package: python verify.py ZIP_OR_FOLDER [--keys FILE] [--checkpoint FILE]
--keys (public.json) and --checkpoint (signed notes): copies of your own, which then decide, not
the package's. Needs `cryptography`. Exit 0: all holds, 1: refused, 2: could not be checked."""
import argparse, base64, hashlib, json, pathlib, re, sys, zipfile
def need(holds, why, kind=ValueError):
    if not holds:
        raise kind(why)
def sha(data): return hashlib.sha256(data).digest()
def node(left, right): return sha(b"\x01" + left + right)
def decoded(text):  # Several texts decode to the same bytes; only one of them was written.
    return need(base64.b64encode(raw := base64.b64decode(text)).decode() == text, "base64") or raw
def hashes_of(at): return [need(len(b := bytes.fromhex(h)) == 32, "cut") or b for h in at["hashes"]]
def roots(at, size, start, hashes, grows):  # up to leaf `at` and of all: RFC 9162, 2.1.3.1, 2.1.4.1
    need(0 <= at < size, "a proof is for another size")
    if size == 1 or (grows and at == size - 1):
        need(len(hashes) == (start is None), "a proof has another length")
        return start or hashes[0], start or hashes[0]
    half = 1 << (size - 1).bit_length() - 1
    if at < half:
        old, new = roots(at, half, start, hashes[:-1], grows)
        return old, node(new, hashes[-1])
    old, new = roots(at - half, size - half, None if grows else start, hashes[:-1], grows)
    return node(hashes[-1], old), node(hashes[-1], new)
def keys_of(listed, use, size=0):  # by name and id, those that sign for a log of that size
    return {(name, sha(f"{name}\n".encode() + decoded(key))[:4]): decoded(key)
            for each in listed[use] for name, _, key in [each["key"].split("+", 2)] if not size
            or (each["since"] <= size and (each["until"] is None or size <= each["until"]))}
def opened(note, keys):  # C2SP signed-note: its lines, once one of the keys has signed it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Key
    (text, _, signatures), signed = note.rpartition("\n\n"), set()
    for dash, name, made in (line.split(" ") for line in signatures[:-1].split("\n")):
        if (key := (name, decoded(made)[:4])) in keys:
            need(dash == "—" and key not in signed and not signed.add(key), "signed twice")
            Key.from_public_bytes(keys[key][1:]).verify(decoded(made)[4:], f"{text}\n".encode())
    need(signed and signatures[-1] == "\n", "none of the known keys has signed")
    return text.split("\n")
def checkpoint(note, listed, lost=False):  # C2SP tlog-checkpoint, by the last key for log and size
    name, size = note.split("\n")[:2]  # no size: of leaves that were lost, if those may be
    logs = [x["origin"] for x in listed.get("logs", [listed]) if x.get("since", 0) <= int(size)]
    keys = [each for each in keys_of(listed, "log", int(size)).items() if each[0][0] == name]
    need(name in logs[-1:] + lost * logs and size == str(int(size)), "a checkpoint of another log")
    return int(size) if name == logs[-1] else None, decoded(opened(note, dict(keys[-1:]))[2])
def check_record(line, proof, origin, keys, size, root):
    shape = r'{"record":({.*?})(?:,"salt":"([0-9a-f]+)","part":({.*}))?}'
    header, salt, part = re.fullmatch(shape, line).groups()  # canonical, as hashed: RFC 8785
    record, leaf = json.loads(header), sha(f"\0{header}".encode())
    told = [origin, record["batch"], record["index"], 1, leaf.hex(), record["recorded_at"]]
    need(opened(proof["receipt"], keys) == ["dft-receipt/v1", *map(str, told)],
         f"{record['_id']} is not what its receipt was given for")
    need(not salt or sha(bytes.fromhex(salt) + part.encode()).hex() == record["part_hash"],
         f"{record['_id']} does not say what it said")
    if proof["index"] is not None:
        found = roots(proof["index"], size, leaf, hashes_of(proof), False)[1]
        need(found == root, f"{record['_id']} is not in the log of the checkpoint")
    return ("recorded " if proof["index"] is None else "sealed   ") + ascii(record["_id"])
def files_of(at):  # of the zip or folder, by their names
    if at.is_dir():
        return {f.relative_to(at).as_posix(): f.read_bytes() for f in at.rglob("*") if f.is_file()}
    with zipfile.ZipFile(at) as zipped:
        need(len({*zipped.namelist()}) == len(zipped.namelist()) and sum(
            each.file_size for each in zipped.infolist()) < 2**30, "a name twice, or too much")
        return {name: zipped.read(name) for name in zipped.namelist()}
def check(files, listed, outside):  # yields what is to be said of each record
    keys, (size, root), known = keys_of(listed, "receipt"), (0, b""), {}
    head, origin, _, _, *sums = opened(files.pop("manifest.txt").decode(), keys)
    odd = {f"{sha(data).hex()}  {name}" for name, data in files.items()} ^ set(sums)
    logs = [each["origin"] for each in listed.get("logs", [listed])]
    need(not odd, f"changed, missing or added: {sorted({each[66:] for each in odd})}")
    need(head == "dft-evidence/v1" and origin in logs, "the package is of another log")
    for each in json.loads(files["checkpoints.json"]):  # of the proofs, then those it grew from
        old, old_root = checkpoint(files[each["file"]].decode(), listed)
        size, root = (size, root) if known else (old, old_root)
        need(roots(old - 1, size, old_root, hashes_of(each), True) == (old_root, root), "rewritten")
        known[old] = old_root
    part = (outside or "").strip("\n").split("\n\n")  # of one note, or of a file of them
    mine = dict(checkpoint("\n\n".join(n) + "\n", listed, True) for n in zip(part[::2], part[1::2]))
    need(mine or outside is None, "your checkpoint is no signed note")
    need(mine.pop(None, mine) is mine or mine, "yours was lost with the database", OSError)
    need(all(known.get(at, mine[at]) == mine[at] for at in mine), "yours is of another history")
    need(not mine or {*mine} & {*known}, f"ask for one with checkpoint={max([0, *mine])}", OSError)
    for folder, count in json.loads(files["package.json"])["records"].items():
        lines, proofs = (files[folder + name].decode().split("\n")[:-1]
                         for name in ("records.ndjson", "proofs.ndjson"))
        need(len(lines) == len(proofs) == count, "records are missing or added")
        yield from (check_record(line, json.loads(proof), origin, keys, size, root)
                    for line, proof in zip(lines, proofs))
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("package", "--keys", "--checkpoint"): parser.add_argument(name, type=pathlib.Path)
    given = parser.parse_args()
    try:
        files = files_of(given.package)
        listed = json.loads(given.keys.read_bytes() if given.keys else files["public.json"])
        outside = given.checkpoint and given.checkpoint.read_text("utf-8")
        keys = [each["key"] for use in ("log", "receipt") for each in listed[use]]
        print(*check(files, listed, outside), "ALL HOLDS, by these keys:", *keys, sep="\n")
    except Exception as error:
        code = 1 + isinstance(error, (OSError, ImportError))
        sys.exit(print(["", "REFUSED:", "NOT CHECKED:"][code], ascii(str(error) or error)) or code)
