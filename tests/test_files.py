"""The writer of files: whole or not at all, whoever is killed, with the rights of what it replaces."""
import errno
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from backprop_book import files
from backprop_book.files import whole_file, write_bytes, write_text

POSIX = pytest.mark.skipif(os.name == 'nt', reason='POSIX only')
ROOT = hasattr(os, 'getuid') and os.getuid() == 0


def names(folder): return sorted(os.listdir(folder))


def refused(kind, said): return pytest.raises(kind, match=said)


def mode(path): return stat.S_IMODE(path.stat().st_mode)


def test_text_and_bytes(tmp_path):
    path = write_text(tmp_path/'a.txt', 'π\nz\n')
    assert path == tmp_path/'a.txt' and path.read_bytes() == 'π\nz\n'.encode()
    assert write_bytes(str(path), b'\r\n\0', overwrite=True).read_bytes() == b'\r\n\0'
    with whole_file(tmp_path/'b', overwrite=False) as file:
        file.write(b'12')
        file.seek(0)
        file.write(b'3')
        assert names(tmp_path) != ['a.txt', 'b']   # not yet
    assert (tmp_path/'b').read_bytes() == b'32' and names(tmp_path) == ['a.txt', 'b']


def test_nothing_is_overwritten_unasked(tmp_path):
    path = write_text(tmp_path/'a', 'mine')
    with refused(FileExistsError, 'a exists: take another name, or say overwrite=True') as caught:
        write_text(path, 'yours')
    assert caught.value.errno == errno.EEXIST and path.read_text() == 'mine' and names(tmp_path) == ['a']


def test_who_comes_second_does_not_overwrite_either(tmp_path):
    path = tmp_path/'a'
    with pytest.raises(FileExistsError, match='exists'), whole_file(path) as file:
        file.write(b'ours')
        path.write_text('theirs')   # between our look and our end
    assert path.read_text() == 'theirs' and names(tmp_path) == ['a']


def test_a_disk_without_links(tmp_path, monkeypatch):
    def link(*args): raise PermissionError(errno.EPERM, 'Operation not permitted')
    monkeypatch.setattr(os, 'link', link)
    assert write_text(tmp_path/'a', 'ours').read_text() == 'ours' and names(tmp_path) == ['a']
    with pytest.raises(FileExistsError), whole_file(tmp_path/'b') as file:
        file.write(b'ours')
        (tmp_path/'b').write_bytes(b'theirs')
    assert (tmp_path/'b').read_bytes() == b'theirs'


@pytest.mark.parametrize('error', [KeyboardInterrupt(), ValueError('no'), OSError(errno.ENOSPC, 'No space left')])
def test_what_fails_on_the_way_leaves_the_old_file(tmp_path, error):
    path = write_text(tmp_path/'a', 'old')
    for target in (path, tmp_path/'new'):
        with pytest.raises(type(error)) as caught, whole_file(target, overwrite=True) as file:
            file.write(b'half')
            raise error
        assert path.read_text() == 'old' and names(tmp_path) == ['a']
    if not isinstance(error, OSError): return
    assert str(caught.value) == f'{target}: cannot be written: the disk is full' and caught.value.errno == errno.ENOSPC


KILLED = '''
import os, signal, sys
from backprop_book import files
def die(*args): os.kill(os.getpid(), signal.SIGKILL)
{patch}
files.write_text(sys.argv[1], 'new'*10**6, overwrite=True)
'''


@POSIX
@pytest.mark.parametrize('patch', ['os.replace = die', 'os.fsync = die', 'os.fchmod = die', 'files._sync = die'])
def test_a_kill_leaves_the_old_file_or_the_new_one_and_is_cleared_up(tmp_path, patch):
    path = write_text(tmp_path/'a', 'old')
    mine = tmp_path/'.a.part'
    mine.write_text('of another program')
    died = subprocess.run([sys.executable, '-c', KILLED.format(patch=patch), path])
    assert died.returncode == -signal.SIGKILL
    late = patch == 'files._sync = die'   # it had taken its place
    assert path.read_text() == ('new'*10**6 if late else 'old') and len(names(tmp_path)) == 3 - late
    write_text(tmp_path/'b', 'another file in that folder')
    assert names(tmp_path) == ['.a.part', 'a', 'b']


RUNNING = '''
import sys
from backprop_book.files import whole_file
with whole_file(sys.argv[1]) as file:
    file.write(b'slow')
    print('begun', flush=True)
    sys.stdin.readline()
'''


@POSIX
def test_a_running_writers_part_is_left_alone(tmp_path):
    command = [sys.executable, '-c', RUNNING, tmp_path/'slow']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b'begun\n'
        part, = names(tmp_path)
        os.utime(tmp_path/part, (1, 1))   # its age says nothing
        write_text(tmp_path/'quick', '')
        assert names(tmp_path) == [part, 'quick']
        writer.communicate(b'go on\n')
    assert writer.returncode == 0 and names(tmp_path) == ['quick', 'slow']
    assert (tmp_path/'slow').read_text() == 'slow'


def test_where_there_are_no_locks_an_hour_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(files, 'fcntl', None)
    old, young, others = (tmp_path/f'.backprop_book-{digit*16}.part' for digit in '01x')
    for part in (old, young, others): part.write_text('')
    for part in (old, others): os.utime(part, 2*(time.time() - 3700,))
    write_text(tmp_path/'a', 'text')
    assert names(tmp_path) == [young.name, others.name, 'a'] and (tmp_path/'a').read_text() == 'text'


@POSIX
def test_who_clears_before_our_lock_takes_only_an_empty_file(tmp_path, monkeypatch):
    lock, calls = files._lock, []
    def late(fd):
        if not calls.append(fd) and len(calls) == 1: files._clear(tmp_path)   # it calls us once more
        return lock(fd)
    monkeypatch.setattr(files, '_lock', late)
    assert write_text(tmp_path/'a', 'whole').read_text() == 'whole' and len(calls) == 3 and names(tmp_path) == ['a']


@POSIX
@pytest.mark.parametrize('rights', [0o600, 0o640, 0o666, 0o755])
def test_rights_are_those_of_the_file_that_is_replaced(tmp_path, rights):
    path = write_text(tmp_path/'a', 'old')
    path.chmod(rights)
    write_text(path, 'new', overwrite=True)
    assert mode(path) == rights and path.read_text() == 'new'


@POSIX
@pytest.mark.parametrize('umask, rights', [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_umasks_rights(tmp_path, umask, rights):
    before = os.umask(umask)
    try: assert mode(write_text(tmp_path/'a', '')) == rights
    finally: os.umask(before)


@pytest.mark.skipif(not ROOT, reason='only root can give files away')
def test_the_owner_is_kept(tmp_path):
    path = write_text(tmp_path/'a', 'old')
    os.chown(path, 1234, 2345)
    path.chmod(0o4640)
    write_text(path, 'new', overwrite=True)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (1234, 2345, 0o4640)


@POSIX
def test_who_may_not_give_it_away_gives_no_rights_of_another(tmp_path, monkeypatch):
    path = write_text(tmp_path/'a', 'old')
    path.chmod(0o4755)
    def fchown(*args): raise PermissionError(errno.EPERM, '')
    monkeypatch.setattr(os, 'fchown', fchown)
    assert mode(write_text(path, 'new', overwrite=True)) == 0o755


@POSIX
def test_links_are_followed(tmp_path):
    (tmp_path/'far').mkdir()
    real, link = write_text(tmp_path/'far'/'real', 'old'), tmp_path/'link'
    link.symlink_to('far/real')
    with pytest.raises(FileExistsError): write_text(link, 'new')
    write_text(link, 'new', overwrite=True)
    assert link.is_symlink() and real.read_text() == 'new' and names(tmp_path/'far') == ['real']
    real.unlink()
    write_text(link, 'newer')   # it leads to nothing: nothing is overwritten
    assert link.is_symlink() and real.read_text() == 'newer'
    (tmp_path/'round').symlink_to('round')
    with refused(OSError, 'round: cannot be written: its links lead round'): write_text(tmp_path/'round', '')


@pytest.mark.parametrize('overwrite', [False, True])
def test_no_folder_is_a_file(tmp_path, overwrite):
    for path in (tmp_path, f'{tmp_path}/', f'{tmp_path}/no/'):
        with refused(IsADirectoryError, 'cannot be written: it is a folder: add the name of a file'):
            write_text(path, '', overwrite)
    with refused(FileNotFoundError, 'a: cannot be written: there is no such folder'):
        write_text(tmp_path/'no'/'a', '', overwrite)
    write_text(tmp_path/'a', '')
    with refused(NotADirectoryError, 'its folder is no folder, but a file'): write_text(tmp_path/'a'/'b', '', overwrite)
    with refused(OSError, 'its name is too long'): write_text(tmp_path/('a'*999), '', overwrite)
    assert names(tmp_path) == ['a']


def test_a_name_as_long_as_a_name_can_be(tmp_path): assert write_text(tmp_path/('a'*255), 'x').read_text() == 'x'


@POSIX
@pytest.mark.skipif(ROOT, reason='root has every right')
def test_no_rights_said(tmp_path):
    path = write_text(tmp_path/'a', 'old')
    path.chmod(0o444)
    said = 'cannot be written: you have no right to write there'
    with refused(PermissionError, f'a: {said}'): write_text(path, 'new', overwrite=True)
    tmp_path.chmod(0o555)
    try:
        with refused(PermissionError, f'b: {said}'): write_text(tmp_path/'b', 'new')
    finally: tmp_path.chmod(0o755)
    assert path.read_text() == 'old' and names(tmp_path) == ['a']


@pytest.mark.parametrize('number, said', [
    (errno.EROFS, 'the disk is read-only'), (errno.EACCES, 'no right to write'), (errno.EIO, os.strerror(errno.EIO))])
@pytest.mark.parametrize('call', ['open', 'fsync'])
def test_errors_of_the_system_are_sentences(tmp_path, monkeypatch, number, said, call):
    path = write_text(tmp_path/'a', 'old')
    def refuse(*args): raise OSError(number, os.strerror(number))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with refused(OSError, f'a: cannot be written: .*{said}') as caught: write_text(path, 'new', overwrite=True)
    assert caught.value.errno == number and path.read_text() == 'old' and names(tmp_path) == ['a']


@POSIX
def test_pipes_and_devices_are_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path/'pipe'
    os.mkfifo(pipe)
    with refused(OSError, 'pipe: cannot be written: nobody reads what is written there'): write_text(pipe, 'text')
    with open(tmp_path/'read', 'wb') as read, subprocess.Popen(['cat', pipe], stdout=read):
        for _ in range(500):
            try: write_text(pipe, 'text'*10**5)
            except OSError: time.sleep(0.01)   # it has not opened it yet
            else: break
    assert (tmp_path/'read').read_text() == 'text'*10**5
    assert stat.S_ISFIFO(pipe.stat().st_mode) and names(tmp_path) == ['pipe', 'read']


@POSIX
def test_a_terminal_is_written_to(tmp_path):
    ours, theirs = os.openpty()   # a device in whose folder nobody makes files: /dev is not for tests
    try:
        write_text(os.ttyname(theirs), 'text')
        assert os.read(ours, 99) == b'text'
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(not os.path.exists('/proc/self/fd/1'), reason='/dev/stdout is no link into /proc')
def test_a_standard_output_that_is_a_file(tmp_path):
    (tmp_path/'stdout').symlink_to('/proc/self/fd/1')   # as /dev/stdout is
    code = 'import sys; from backprop_book.files import write_text; write_text(sys.argv[1], "text", overwrite=True)'
    command = [sys.executable, '-c', code, tmp_path/'stdout']
    with open(tmp_path/'out', 'wb') as out: subprocess.run(command, stdout=out, check=True)
    assert (tmp_path/'out').read_text() == 'text' and names(tmp_path) == ['out', 'stdout']
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout == b'text'
