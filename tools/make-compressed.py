"""
Makes test/corpus/compression/frames.jsonl: compressed inputs of shapes that our own compressors do not write, by the
libraries of others. Run with `pip install lz4 zstandard python-snappy`:

    python3 tools/make-compressed.py > test/corpus/compression/frames.jsonl

What they inflate to are `lines` lines: `event N of its kind`, N the number of the line divided by 100.
"""
import base64
import gzip
import json
import struct

import lz4.frame
import snappy
import zstandard


def text(start, lines):
    return b"".join(b"event %d of its kind\n" % (i // 100) for i in range(start, start + lines))


def emit(codec, what, data, lines):
    print(json.dumps({"codec": codec, "what": what, "lines": lines, "bytes": base64.b64encode(data).decode()}))


def lz4_frame(data, **options):
    return lz4.frame.compress(data, **options)


def xerial(data, block=32 * 1024):
    out = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    for at in range(0, len(data), block):
        part = snappy.compress(data[at : at + block])
        out += struct.pack(">i", len(part)) + part
    return out


small, large = 100, 8_000
for size, name in (
    (lz4.frame.BLOCKSIZE_MAX64KB, "64 KB"),
    (lz4.frame.BLOCKSIZE_MAX4MB, "4 MB"),
):
    for linked in (True, False):
        kind = "linked" if linked else "independent"
        emit("lz4", f"{kind} blocks of {name}", lz4_frame(text(0, large), block_size=size, block_linked=linked, store_size=False), large)
emit("lz4", "content checksum", lz4_frame(text(0, large), content_checksum=True, store_size=False), large)
emit("lz4", "block checksums", lz4_frame(text(0, large), block_checksum=True, block_size=lz4.frame.BLOCKSIZE_MAX64KB, store_size=False), large)
emit("lz4", "content size", lz4_frame(text(0, small), store_size=True), small)
emit("lz4", "everything at once", lz4_frame(text(0, large), block_linked=True, content_checksum=True, block_checksum=True, block_size=lz4.frame.BLOCKSIZE_MAX64KB, store_size=True, compression_level=9), large)
emit("lz4", "several frames", lz4_frame(text(0, 60)) + lz4_frame(text(60, 0)) + lz4_frame(text(60, 40)), small)
emit("lz4", "a stored block", lz4_frame(text(0, 1), store_size=False), 1)

emit("snappy", "raw block", snappy.compress(text(0, large)), large)
emit("snappy", "xerial stream", xerial(text(0, large)), large)
emit("snappy", "concatenated xerial streams", xerial(text(0, 60)) + xerial(text(60, 0)) + xerial(text(60, 40)), small)

streaming = zstandard.ZstdCompressor(write_content_size=False)
sized = zstandard.ZstdCompressor(level=19, write_checksum=True)
fast = zstandard.ZstdCompressor(level=-5)
emit("zstd", "no content size", streaming.compress(text(0, large)), large)
emit("zstd", "content size and checksum, level 19", sized.compress(text(0, large)), large)
emit("zstd", "level -5", fast.compress(text(0, large)), large)
emit("zstd", "several frames", sized.compress(text(0, 60)) + streaming.compress(b"") + streaming.compress(text(60, 40)), small)
emit("zstd", "frames to be skipped around one", b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + sized.compress(text(0, small)) + b"\x5f\x2a\x4d\x18\x00\x00\x00\x00", small)
flushed = streaming.compressobj()
parts = flushed.compress(text(0, 50)) + flushed.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + flushed.compress(text(50, 50)) + flushed.flush()
emit("zstd", "flushed in between", parts, small)
long = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False))
emit("zstd", "window of 128 MB", long.compress(text(0, large)), large)

emit("gzip", "several members", gzip.compress(text(0, 60), mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(text(60, 40), mtime=0), small)
emit("gzip", "level 1", gzip.compress(text(0, large), 1, mtime=0), large)
