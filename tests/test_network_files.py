"""Files that unpack to far more than they are, or lie about it: refused before anything is unpacked."""
import os
import re
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from backprop_book.network import MOST_BYTES, Layer, load_network, parameters, save_network
from backprop_book.transfer import tanh

NET = [Layer(np.arange(6.).reshape(2, 3), [1., 2., 3.], tanh)]


def npy_header(shape, dtype='<f8'):
    head = str(dict(descr=dtype, fortran_order=False, shape=shape)).encode()
    head += b' '*(63 - (10 + len(head)) % 64) + b'\n'
    return b'\x93NUMPY\x01\x00' + len(head).to_bytes(2, 'little') + head


def write(path, members, method=zipfile.ZIP_DEFLATED):
    "A saved network with further members, (name, chunks of bytes)"
    save_network(NET, path)
    with zipfile.ZipFile(path, 'a', method, compresslevel=1) as archive:
        for name, chunks in members:
            with archive.open(name, 'w', force_zip64=True) as member:
                for chunk in chunks: member.write(chunk)
    return path


def zeros(mebibytes): return [npy_header((mebibytes*2**17,)), *[bytes(2**20)]*mebibytes]


def refusal(path, **settings):
    "What is said, how long it took, and the most memory that Python held"
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(ValueError, match='holds no network that can be loaded: ') as caught:
        load_network(path, **settings)
    took, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return str(caught.value).split(' loaded: ')[1], took, peak


@pytest.mark.parametrize('mebibytes, most', [(16, 2**20), pytest.param(1024, MOST_BYTES, marks=pytest.mark.slow)])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, mebibytes, most):
    path = write(tmp_path/'bomb.npz', [('W1.npy', zeros(mebibytes))])
    assert path.stat().st_size < mebibytes*2**20/100
    said, took, peak = refusal(path, most=most)
    assert said.startswith('it would unpack to ') and f'at most {most:,} are unpacked' in said and 'most=' in said
    assert took < 1 and peak < 2**19


def test_many_small_bombs_count_together(tmp_path):
    path = write(tmp_path/'bombs.npz', [(f'W{i}.npy', zeros(1)) for i in range(1, 5)])
    assert refusal(path, most=3*2**20)[0].startswith('it would unpack to 4,19')
    assert 'its arrays are' in refusal(path, most=5*2**20)[0]    # small enough: looked at, and no network


def test_a_header_that_promises_more_than_there_is(tmp_path):
    path = write(tmp_path/'lie.npz', [('W1.npy', [npy_header((10**12,)), bytes(64)])])
    said, took, peak = refusal(path)
    assert said == 'W1.npy should have 8000000000128 bytes by its header, and has 192' and took < 1 and peak < 2**19


def test_a_directory_that_promises_less_than_there_is(tmp_path):
    path = write(tmp_path/'lie.npz', [('W1.npy', [npy_header((1000,)), bytes(8000)])])
    true, false = (n.to_bytes(4, 'little') for n in (8128, 200))
    content = path.read_bytes()
    path.write_bytes(content[:-200] + content[-200:].replace(true, false) if true in content[-200:] else
                     content.replace(true, false))
    refusal(path)


@pytest.mark.parametrize('members, says', [
    ([(f'x{i}.npy', [npy_header(()), bytes(8)]) for i in range(2000)], 'it has 2005 parts, at most 2000'),
    ([('notes.txt', [b'W = 1'])], 'it holds notes.txt, which is no array'),
    ([('W1.npy', [b'W = 1 and so on'])], 'magic string is not correct'),
    ([('W1.npy', [npy_header((1,), '|O'), bytes(8)])], 'W1.npy holds objects, and nothing is unpickled'),
    ([('W1.npy', [npy_header((2,), '|S1000000'), bytes(8)])], 'W1.npy should have 2000128 bytes'),
    ([('W1.npy', [npy_header((-1,)), bytes(8)])], 'W1.npy'),
    ([('W1.npy', [b'\x93NUMPY\x02\x00' + npy_header((1,))[8:], bytes(8)])], r'the format \(2, 0\)')],
    ids=['parts', 'text', 'no npy', 'objects', 'long texts', 'less than none', 'version'])
def test_odd_parts(tmp_path, members, says):
    said, took, _ = refusal(write(tmp_path/'odd.npz', members, zipfile.ZIP_STORED))
    assert took < 1
    assert re.search(says, said), said


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_name_twice(tmp_path):
    path = write(tmp_path/'twice.npz', [('W0.npy', [npy_header((2, 3)), bytes(48)])])
    assert 'W0.npy twice' in refusal(path)[0]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path/'pipe.npz')
    for path in (tmp_path, tmp_path/'pipe.npz', '/dev/zero'):
        with pytest.raises(ValueError, match='is no file'): load_network(path)
    for number in (0, 1, True, None, b'net.npz', ''):    # 1 would be the standard output, and then closed
        for f in (load_network, lambda path: save_network(NET, path)):
            with pytest.raises(TypeError, match='path must name a file'): f(number)


def test_a_network_is_loaded_all_the_same(tmp_path):
    save_network(NET, tmp_path/'net.npz')
    assert parameters(load_network(tmp_path/'net.npz', most=10**4)).tobytes() == parameters(NET).tobytes()
    assert refusal(tmp_path/'net.npz', most=100)[0].startswith('it would unpack to')
    np.savez_compressed(tmp_path/'small.npz', **np.load(tmp_path/'net.npz'))
    assert (load_network(tmp_path/'small.npz')[0].W == NET[0].W).all()
