import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3 } from '@aws-sdk/client-s3';
import type { BucketServer } from './bucket-server.ts';
import { freePort } from './free-port.ts';

/** Milliseconds in which all of it has to be there. */
const PATIENCE = 60_000;
const KEY = 'CEPHKEY';
const SECRET = 'a-secret-of-ceph';

/**
 * The gateway of Ceph, which people run to have S3 of their own, over one monitor and one store in memory. It needs Debian's
 * packages `radosgw`, `ceph-mon` and `ceph-osd`.
 */
export class Ceph implements BucketServer {
  readonly endpoint: string;
  readonly env = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, AWS_EC2_METADATA_DISABLED: 'true' };
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'manyhands-ceph-'));
  readonly #port: number;
  readonly #stores: ChildProcess[] = [];
  #gateway: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Ceph> {
    const ceph = new Ceph(await freePort());
    try {
      await ceph.#make(await freePort());
      await ceph.run();
      return ceph;
    } catch (error) {
      await ceph.remove();
      throw error;
    }
  }

  async makeBucket(Bucket: string, client: S3): Promise<void> {
    await client.createBucket({ Bucket });
  }

  async objects(Bucket: string, client: S3): Promise<string[]> {
    const { Contents = [] } = await client.listObjectsV2({ Bucket });
    return Contents.map(({ Key = '' }) => Key);
  }

  async run(): Promise<void> {
    const gateway = this.#daemon('radosgw', '-n', 'client.admin');
    this.#gateway = gateway;
    const until = Date.now() + PATIENCE;
    while (!(await answers(this.endpoint))) {
      if (gateway.exitCode !== null || Date.now() > until) throw new Error('the gateway of Ceph did not start');
      await sleep(50);
    }
  }

  async kill(): Promise<void> {
    await ended(this.#gateway);
    this.#gateway = undefined;
  }

  async remove(): Promise<void> {
    for (const each of [this.#gateway, ...this.#stores]) await ended(each);
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async #make(monitor: number): Promise<void> {
    const at = (file: string): string => path.join(this.#directory, file);
    const [farm, store] = [randomUUID(), randomUUID()];
    for (const each of ['mon', 'osd', 'run']) mkdirSync(at(each));
    writeFileSync(at('ceph.conf'), configuration(this.#directory, farm, monitor, this.#port));
    const keyring: [string, ...string[]] = ['ceph-authtool', at('keyring'), '--gen-key', '--cap', 'mon', 'allow *'];
    this.#tool(...keyring, '--create-keyring', '-n', 'mon.');
    this.#tool(...keyring, '--cap', 'osd', 'allow *', '-n', 'client.admin');
    this.#tool('monmaptool', '--create', '--fsid', farm, '--addv', 'a', `[v2:127.0.0.1:${monitor}]`, at('monmap'));
    this.#tool('ceph-mon', '--mkfs', '-i', 'a', '--monmap', at('monmap'), '--keyring', at('keyring'));
    this.#stores.push(this.#daemon('ceph-mon', '-i', 'a'));
    this.#tool('ceph', 'osd', 'new', store, '0');
    this.#tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', store);
    this.#stores.push(this.#daemon('ceph-osd', '-i', '0'));
    this.makeUser('farm', KEY, SECRET);
  }

  /** Who may do nothing in the buckets of others. */
  makeUser(name: string, key: string, secret: string): void {
    const user = [`--uid=${name}`, `--display-name=${name}`, `--access-key=${key}`, `--secret-key=${secret}`];
    this.#tool('radosgw-admin', 'user', 'create', ...user);
  }

  #tool(program: string, ...args: readonly string[]): void {
    execFileSync(program, args, {
      env: { ...process.env, CEPH_CONF: path.join(this.#directory, 'ceph.conf') },
      cwd: this.#directory,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: PATIENCE,
    });
  }

  #daemon(program: string, ...args: readonly string[]): ChildProcess {
    const log = openSync(path.join(this.#directory, `${program}.out`), 'a');
    const conf = path.join(this.#directory, 'ceph.conf');
    return spawn(program, ['-c', conf, '-f', ...args], { cwd: this.#directory, stdio: ['ignore', log, log] });
  }
}

/** One of each, nothing twice, nobody asked who he is but by the gateway, and no pause before anything is agreed on. */
function configuration(directory: string, farm: string, monitor: number, port: number): string {
  return `[global]
fsid = ${farm}
mon_host = v2:127.0.0.1:${monitor}
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_supported = none
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
rgw_rados_pool_pg_num_min = 1
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
osd_client_watch_timeout = 2
memstore_device_bytes = 2147483648
mon_data_avail_crit = 1
mon_data_avail_warn = 2
mon_data = ${directory}/mon
osd_data = ${directory}/osd
run_dir = ${directory}/run
admin_socket =
pid_file =
log_file = ${directory}/$name.log
keyring = ${directory}/keyring
rgw_frontends = beast endpoint=127.0.0.1:${port}
`;
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
