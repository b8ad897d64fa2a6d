"""A worker of manyhands in plain Python: python3 worker.py http://HOST:PORT/join#TOKEN

It offers the runner "python": a task is a function `task(input, ctx)` in the code of its job. What it says and hears
is described in src/protocol/PROTOCOL.md, as the subprotocol manyhands.v1.json. Only the standard library is used.
"""
import base64, json, os, secrets, socket, struct, sys, time, traceback, types, urllib.parse, urllib.request

link = urllib.parse.urlsplit(sys.argv[1])
token = urllib.parse.unquote(link.fragment)
hello = {'kind': 'hello', 'protocol': 1, 'key': secrets.token_hex(16), 'name': socket.gethostname(), 'device': 'other',
         'slots': 1, 'runners': ['python'], 'labels': {}, 'resources': {}}
jobs, kept = {}, {}  # what the server said of its jobs; outcomes that it has not acknowledged


def connect():
    """A WebSocket as RFC 6455 wants it: one request over HTTP, then frames."""
    stream = socket.create_connection((link.hostname, link.port or 80), timeout=60).makefile('rwb', buffering=0)
    stream.write((f'GET /v1/worker HTTP/1.1\r\nHost: {link.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                  f'Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n'
                  f'Sec-WebSocket-Protocol: manyhands.v1.json\r\nAuthorization: Bearer {token}\r\n\r\n').encode())
    status = stream.readline().decode().strip()
    while stream.readline() not in (b'\r\n', b''):
        pass
    if ' 101 ' not in f'{status} ':
        sys.exit(f'the server does not want this worker: {status}')
    return stream


def send_frame(stream, opcode, payload):
    size = bytes([128 | len(payload)]) if len(payload) < 126 else \
        struct.pack('>BH', 254, len(payload)) if len(payload) < 65536 else struct.pack('>BQ', 255, len(payload))
    mask = os.urandom(4)
    masked = int.from_bytes(payload, 'big') ^ int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], 'big')
    stream.write(bytes([128 | opcode]) + size + mask + masked.to_bytes(len(payload), 'big'))


def messages(stream):
    """Those of the server, one after the other, until it hangs up; pings are answered."""
    def read(count):
        data = b''
        while len(data) < count:
            more = stream.read(count - len(data))
            if not more:
                raise ConnectionError('the server is gone')
            data += more
        return data
    text = b''
    while True:
        first, second = read(2)
        size = second & 127
        size = struct.unpack('>H', read(2))[0] if size == 126 else struct.unpack('>Q', read(8))[0] if size == 127 else size
        payload = read(size)
        if first & 15 == 8:
            return
        if first & 15 == 9:
            send_frame(stream, 10, payload)
        if first & 15 < 3:
            text += payload
            if first & 128:
                yield json.loads(text)
                text = b''


def fetch(sha256):
    """What is too large for a message."""
    address = f'http://{link.netloc}/v1/blobs/{sha256}'
    with urllib.request.urlopen(urllib.request.Request(address, headers={'Authorization': f'Bearer {token}'})) as body:
        return body.read()


def learn(job):
    """The function of a job, from its code."""
    code = job.get('inline') or fetch(job['code']['sha256']).decode()
    module = types.ModuleType('task')
    exec(compile(code, job['code']['sourceName'], 'exec'), module.__dict__)
    return module.task


def input_of(job, index, item):
    if 'range' in job:
        return job['range']['start'] + index * job['range']['step']
    if 'blob' in item:
        blob = fetch(item['blob']['sha256'])
        return json.loads(blob) if item['as'] == 'json' else blob
    return base64.b64decode(item['base64']) if 'base64' in item else item.get('value')


def run(job, index, item):
    """What becomes of one task."""
    try:
        value = input_of(job, index, item)
        job['task'] = job.get('task') or learn(job)
        result = job['task'](value, types.SimpleNamespace(index=index))
        if result is None:
            return {'undefined': True}
        return {'base64': base64.b64encode(result).decode()} if isinstance(result, bytes) else {'value': result}
    except Exception as error:
        failed = {'kind': 'error', 'name': type(error).__name__, 'message': str(error), 'stack': traceback.format_exc()}
        return {'failed': failed}


def work(stream):
    def say(message):
        send_frame(stream, 1, json.dumps(message).encode())
    held = [{'lease': lease, 'runs': [[index, 1]]} for lease, index in kept]
    say({**hello, 'held': held})
    for message in messages(stream):
        kind = message['kind']
        if kind == 'welcome':
            print(f'joined {link.netloc} as worker {message["worker"]}', flush=True)
            for outcome in kept.values():
                say(outcome)
        elif kind == 'job':
            jobs[message['job']] = message
        elif kind == 'jobOver':
            jobs.pop(message['job'], None)
        elif kind == 'tasks':
            indexes = [index for start, count in message['runs'] for index in range(start, start + count)]
            for index, item in zip(indexes, message.get('values') or [{}] * len(indexes)):
                began = time.perf_counter()
                outcome = {'kind': 'outcomes', 'lease': message['lease'], 'job': message['job'], 'runs': [[index, 1]],
                           'values': [run(jobs[message['job']], index, item)]}
                outcome['micros'] = round((time.perf_counter() - began) * 1e6)
                kept[message['lease'], index] = outcome
                say(outcome)
        elif kind in ('ack', 'revoke'):
            for start, count in message['runs']:
                for index in range(start, start + count):
                    kept.pop((message['lease'], index), None)
        elif kind == 'dismiss' and message['how'] == 'stop':
            say({'kind': 'bye'})
            sys.exit(0)
        elif kind == 'refused':
            sys.exit(f'the server does not want this worker: {message["detail"]}')


while True:
    try:
        work(connect())
    except OSError as problem:
        print(f'{problem}; trying again', flush=True)
    time.sleep(1)
