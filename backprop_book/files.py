"""The one writer of files: whole or not at all, with the rights of the file that it replaces.

What is written goes to a part file in the same folder, which takes its place when it is complete. Whoever is stopped on
the way leaves the old file as it was. The part file is locked as long as its writer lives, so that a later writer knows
what nobody will finish any more, and clears it."""
import errno
import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

from .arguments import file_path, flag, shown

try: import fcntl
except ImportError: fcntl = None  # Windows

__all__ = ['whole_file', 'write_bytes', 'write_text']

_OURS = re.compile(r'\.backprop_book-[0-9a-f]{16}\.part')
_HOUR = 3600

_WHY = {errno.ENOSPC: 'the disk is full',
        errno.EFBIG: 'it is too large for this disk', errno.EROFS: 'the disk is read-only',
        errno.EACCES: 'you have no right to write there', errno.EPERM: 'you have no right to write there',
        errno.ENOENT: 'there is no such folder', errno.ENOTDIR: 'its folder is no folder, but a file',
        errno.EISDIR: 'it is a folder: add the name of a file', errno.ENAMETOOLONG: 'its name is too long',
        errno.ELOOP: 'its links lead round in a circle', errno.ENXIO: 'nobody reads what is written there',
        errno.EPIPE: 'nobody reads what is written there'}


def _in_words(path, error):
    "The same error, of the same class, as a sentence"
    said = f'cannot be written: {_WHY.get(error.errno) or error.strerror or error}'
    if isinstance(error, FileExistsError): said = 'exists: take another name, or say overwrite=True'
    same = type(error)(f'{path}{"" if said.startswith("exists") else ":"} {said}')
    same.errno = error.errno
    return same


def _refusal(kind, number): return kind(number, os.strerror(number))


def _found(path, overwrite):
    "What stands at `path`, as a stat, or None; OSError if it may not be written"
    if os.fspath(path).endswith(('/', os.sep)): raise _refusal(IsADirectoryError, errno.EISDIR)
    try: old = os.stat(path)
    except FileNotFoundError: return None
    if stat.S_ISDIR(old.st_mode): raise _refusal(IsADirectoryError, errno.EISDIR)
    if _is_file(old) and not overwrite: raise _refusal(FileExistsError, errno.EEXIST)
    if stat.S_ISBLK(old.st_mode) or not os.access(path, os.W_OK): raise _refusal(PermissionError, errno.EACCES)
    return old


def _is_file(old): return stat.S_ISREG(old.st_mode) and old.st_nlink > 0  # 0: deleted, and still open somewhere


def _lock(fd):
    "True if it is ours now, False if another process has it, None where there are no locks"
    if not fcntl: return None
    try: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError: return False
    except OSError: return None
    return True


def _new_part(folder, mode):
    "A new part file, as descriptor and path, locked"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, 'O_BINARY', 0)
    while True:
        part = folder/f'.backprop_book-{os.urandom(8).hex()}.part'
        fd = os.open(part, flags, mode)
        if _lock(fd) is not False and part.exists(): return fd, part
        os.close(fd)  # somebody who clears was quicker than our lock, and takes it away


def _is_stale(fd):
    "Has its writer ended? Where there are no locks, an hour is the answer"
    free = _lock(fd)
    return time.time() - os.fstat(fd).st_mtime > _HOUR if free is None else free


def _clear(folder):
    "Remove the part files whose writers were killed"
    for name in filter(_OURS.fullmatch, os.listdir(folder)):
        with suppress(OSError):  # another's, or gone by now
            fd = os.open(folder/name, os.O_RDWR | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_NONBLOCK', 0))
            try: stale = _is_stale(fd)
            finally:
                if not fcntl: os.close(fd)  # Windows removes no file that is open
            try:
                if stale: os.unlink(folder/name)
            finally:
                if fcntl: os.close(fd)  # the lock is kept until the file is gone


def _keep_rights(fd, old):
    "Owner, group and mode of the file that is replaced, as far as the system lets us"
    mode = stat.S_IMODE(old.st_mode)
    if not hasattr(os, 'fchown'): return
    try: os.fchown(fd, old.st_uid, old.st_gid)
    except OSError:
        mode &= 0o777  # no setuid for another owner
        with suppress(OSError): os.fchown(fd, -1, old.st_gid)
    with suppress(PermissionError): os.fchmod(fd, mode)


def _place(part, target, overwrite):
    "Give the part file its name; FileExistsError if somebody else took that name meanwhile"
    if overwrite: return os.replace(part, target)
    try: os.link(part, target)
    except OSError:  # it exists, or this disk has no links
        if os.path.lexists(target): raise _refusal(FileExistsError, errno.EEXIST) from None
        os.replace(part, target)


def _sync(folder):
    "Ask the disk to keep the new name, too, where a folder can be asked"
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try: os.fsync(fd)
        finally: os.close(fd)


@contextmanager
def _beside(target, old, overwrite):
    "A part file beside `target`, which takes its place at the end"
    with suppress(PermissionError): _clear(target.parent)
    fd, part = _new_part(target.parent, 0o600 if old else 0o666)
    try:
        with open(fd, 'wb') as file:
            yield file
            file.flush()
            if old: _keep_rights(fd, old)
            os.fsync(fd)
            if fcntl: _place(part, target, overwrite)  # still locked
        if not fcntl: _place(part, target, overwrite)  # Windows renames no file that is open
    finally:
        with suppress(OSError): part.unlink()
    _sync(target.parent)


@contextmanager
def _straight(path):
    "What goes into a pipe or a device, which cannot be replaced; a pipe without a reader is not waited for"
    buffer = BytesIO()
    yield buffer
    with open(os.open(path, os.O_WRONLY | getattr(os, 'O_NONBLOCK', 0)), 'wb') as file:
        if hasattr(os, 'set_blocking'): os.set_blocking(file.fileno(), True)
        file.write(buffer.getvalue())


def _name(path):
    "`path`; ValueError in a sentence where no file can be called so"
    said = file_path(path)
    try: possible = b'\0' not in os.fsencode(said)
    except UnicodeEncodeError: possible = False
    if possible: return path
    raise ValueError(f'{shown(said)} is the name of no file: it holds a character that no name can have')


def whole_file(path, # where; links are followed
               overwrite:bool=False): # may an existing file be replaced?
    "A binary file to write to, at `path` if the block ends well, and nowhere if not; OSError in a sentence"
    return _whole_file(_name(path), flag(overwrite, 'overwrite'))


@contextmanager
def _whole_file(path, overwrite):
    try:
        old = _found(path, overwrite)
        if old and not _is_file(old): writer = _straight(path)
        else: writer = _beside(Path(os.path.realpath(path)), old, overwrite)
        with writer as file: yield file
    except OSError as error: raise _in_words(path, error) from None


def write_bytes(path, # where; links are followed
                data:bytes, # what
                overwrite:bool=False): # may an existing file be replaced?
    "Write a file, whole or not at all, and return its path; OSError in a sentence, FileExistsError if it exists"
    if not isinstance(data, (bytes, bytearray)): raise TypeError(f'data must be bytes, got {shown(data)}')
    with whole_file(path, overwrite) as file: file.write(data)
    return Path(path)


def write_text(path, # where; links are followed
               text:str, # what: UTF-8, and the same bytes on every system
               overwrite:bool=False): # may an existing file be replaced?
    "Write a text file, whole or not at all, and return its path; OSError in a sentence, FileExistsError if it exists"
    if not isinstance(text, str): raise TypeError(f'text must be a text, got {shown(text)}')
    try: data = text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'text holds {text[error.start]!r}, half a character, which UTF-8 cannot write') from None
    return write_bytes(path, data, overwrite)
