#!/usr/bin/python3 -IS
"""hold_lock.py DOMAIN KIND PATH...: takes OCFS2's lock of KIND (M, W) on each path exclusively, through dlmfs in the
directory DOMAIN, as a writer in the middle of its work; says "held" and keeps them until it is killed.
"""
import ctypes, os, signal, struct, sys

domain, kind, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs(domain, exist_ok=True)
for path in paths:
    # struct file_handle: bytes, type, then what ocfs2_encode_fh() puts there: block number, high half first, and generation
    handle, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136), ctypes.c_int()
    if libc.name_to_handle_at(-100, path.encode(), handle, ctypes.byref(mount), 0) != 0:
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    high, low, generation = struct.unpack("<III", handle.raw[8:20])
    name = f"{kind}000000{high << 32 | low:016x}{generation if kind == 'W' else 0:08x}"   # ocfs2-backend/lock_name.h
    os.open(f"{domain}/{name}", os.O_RDWR | os.O_CREAT)
print("held", flush=True)
os.close(1)
signal.pause()
