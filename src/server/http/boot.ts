import { createReadStream } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGunzip } from 'node:zlib';
import Type from 'typebox';
import type { WorkerId } from '../../model/ids.ts';
import { Count } from '../../protocol/shapes.ts';
import { PROTOCOL } from '../../protocol/version.ts';
import type { BootAllowed } from '../boot/boot-config.ts';
import { type BootDesk, isNearby } from '../boot/boot-desk.ts';
import { ARCHITECTURES, type Architecture, type BootFile, type BootImage } from '../boot/boot-images.ts';
import { ipxeScript } from '../boot/ipxe-script.ts';
import { wake } from '../boot/wake.ts';
import { Problem } from '../problem.ts';
import { BootAnswer, BootDownloadAnswer } from './answers.ts';
import { writeAll } from './body.ts';
import { ADMINS, READERS, type Route, route } from './route.ts';
import { sendFile } from './send-file.ts';

const BYTES = 'application/octet-stream';
const GET_OR_HEAD = ['GET', 'HEAD'] as const;

/** The images of os/, for machines without a system: see docs/boot-image.md. */
/** `here`: the workers that are connected, by their tokens. */
export function bootRoutes(desk: BootDesk, here: () => ReadonlyMap<string, WorkerId>): Route[] {
  return [...deskRoutes(desk, here), wakeRoute(desk), ...downloadRoutes(desk), ...networkRoutes(desk)];
}

function deskRoutes(desk: BootDesk, here: () => ReadonlyMap<string, WorkerId>): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/boot',
      access: READERS,
      summary: 'Which boot images this server has, and where machines would look for it.',
      answers: { 200: { description: 'The images.', type: 'application/json', schema: BootAnswer } },
      handle: async () => {
        const workers = here();
        const machines = desk.machines().map((machine) => {
          const worker = workers.get(machine.token);
          return worker === undefined ? machine : { ...machine, worker };
        });
        const images = (await desk.images.list()).map(told);
        return { json: { images, machines, netboot: desk.netboot, server: desk.origin } };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/boot/images',
      access: ADMINS,
      summary: 'Makes an image that knows this farm. Whoever has one of its addresses can fetch it within a day.',
      body: {
        type: 'application/json',
        schema: Type.Object(
          { allow: Type.Optional(Type.Array(Type.Literal('exec'))), expiresIn: Type.Optional(Count) },
          { additionalProperties: false },
        ),
        optional: true,
        example: { allow: ['exec'], expiresIn: 604_800_000 },
      },
      answers: {
        201: { description: 'Where to fetch it.', type: 'application/json', schema: BootDownloadAnswer },
        404: { description: 'No image was built here.' },
      },
      handle: async ({ body }) => {
        const images = (await desk.images.list()).filter(isWhole);
        if (images.length === 0) throw new Problem('unknown', NOT_BUILT);
        const { id, token, until } = await desk.make((body?.allow as BootAllowed[] | undefined) ?? [], body?.expiresIn);
        const downloads = images.map(({ architecture, files }) => ({
          architecture,
          path: `/boot/images/${id}/manyhands-${architecture}.iso`,
          bytes: files['worker.iso'],
        }));
        return { status: 201, json: { token: token.id, expiresAt: token.expiresAt, until, downloads } };
      },
    }),
  ];
}

function wakeRoute(desk: BootDesk): Route {
  return route({
    method: 'POST',
    path: '/v1/boot/machines/:token/wake',
    access: ADMINS,
    summary:
      'Wakes a machine that has been here, by its network card. Whether it wakes is told by nothing but its joining.',
    answers: { 204: { description: 'It was said.' }, 404: { description: 'There was no such machine.' } },
    handle: async ({ params }) => {
      const machine = desk.machines().find(({ token }) => token === params.token);
      if (machine === undefined) throw new Problem('unknown', `no machine has the token ${params.token}`);
      if (machine.cards.length === 0) throw new Problem('conflict', `${machine.name} told of no network card`);
      await wake(machine.cards);
      return {};
    },
  });
}

/** Who knows the address may have it: a browser's download carries no header, and goes on where it was cut. */
function downloadRoutes(desk: BootDesk): Route[] {
  return GET_OR_HEAD.map((method) =>
    route({
      method,
      path: '/boot/images/:download/:file',
      access: 'public',
      page: true,
      summary: 'An image that was made before, or one range of it.',
      answers: {
        200: { description: 'The image.', type: BYTES },
        404: { description: 'It cannot be fetched (any more).' },
      },
      handle: async ({ params: { download, file }, request, response }) => {
        const made = desk.find(download);
        const architecture = ARCHITECTURES.find((each) => file === `manyhands-${each}.iso`);
        const image = architecture && (await desk.images.find(architecture));
        if (made === undefined || image === undefined || !isWhole(image))
          throw new Problem('unknown', 'this image cannot be fetched any more: make another on the page /boot');
        return sendFile(desk.images.pathOf(image.architecture, 'worker.iso'), request, response, {
          headers: { 'content-disposition': `attachment; filename="${file}"` },
          overlay: { at: image.configOffset, bytes: made.config },
        });
      },
    }),
  );
}

const Which = Type.Object({ arch: Type.Optional(Type.Union([Type.Literal('x64'), Type.Literal('arm64')])) });

/** What a machine that boots from the network asks for, in this order. */
function networkRoutes(desk: BootDesk): Route[] {
  const file = (path: string, summary: string, send: (call: NetworkCall) => Promise<undefined>): Route[] =>
    GET_OR_HEAD.map((method) =>
      route({
        method,
        path: path as '/',
        access: 'public',
        page: true,
        summary,
        query: Which,
        answers: { 200: { description: 'It.' }, 404: { description: 'This server boots nobody.' } },
        handle: ({ request, response, query }) => {
          const { arch = 'x64' } = query as { arch?: Architecture };
          admit(desk, request);
          return send({ request, response, arch });
        },
      }),
    );
  return [
    ...file('/boot/ipxe', 'The script that iPXE runs to boot a machine from here.', async ({ request, response }) =>
      send(request, response, ipxeScript(originOf(request)), 'text/plain; charset=utf-8'),
    ),
    ...(['vmlinuz', 'initrd'] as const).flatMap((name) =>
      file(`/boot/${name}`, `The ${name} of an image.`, async ({ request, response, arch }) =>
        name === 'vmlinuz' && arch === 'arm64'
          ? sendUnpacked(await builtFile(desk, arch, name), request, response)
          : sendFile(await builtFile(desk, arch, name), request, response),
      ),
    ),
    ...file('/boot/mh.cpio', 'The address of this server and a token, as the kernel takes them.', async (call) => {
      const archive = await desk.archiveFor(originOf(call.request));
      return send(call.request, call.response, archive, BYTES);
    }),
  ];
}

interface NetworkCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly arch: Architecture;
}

/** Nobody says who he is: so it is for those in the same house, where its owner has said so. */
function admit({ netboot }: BootDesk, request: IncomingMessage): void {
  if (!netboot) throw new Problem('unknown', 'this server boots no machines from the network: serve --netboot');
  if (!isNearby(request.socket.remoteAddress ?? ''))
    throw new Problem('forbidden', 'machines are booted from private networks only');
}

async function builtFile(desk: BootDesk, arch: Architecture, name: BootFile): Promise<string> {
  const image = await desk.images.find(arch);
  if (image?.files[name] === undefined) throw new Problem('unknown', `${NOT_BUILT} (ARCH=${arch})`);
  return desk.images.pathOf(arch, name);
}

/** The kernel of ARM is packed for disks; iPXE starts it as it is. */
async function sendUnpacked(path: string, request: IncomingMessage, response: ServerResponse): Promise<undefined> {
  response.writeHead(200, { 'content-type': BYTES, 'cache-control': 'no-store' });
  if (request.method === 'HEAD') response.end();
  else if (await writeAll(response, createReadStream(path).pipe(createGunzip()))) response.end();
  return undefined;
}

function originOf({ headers }: IncomingMessage): string {
  return `http://${headers.host ?? ''}`;
}

function send(request: IncomingMessage, response: ServerResponse, body: string | Uint8Array, type: string): undefined {
  const bytes = Buffer.from(body);
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : bytes);
  return undefined;
}

const NOT_BUILT = 'no boot image was built for this server: run make -C os os-image, or serve --boot-images DIR';

function isWhole(image: BootImage): image is BootImage & { readonly configOffset: number } {
  return image.configOffset !== undefined && image.files['worker.iso'] !== undefined;
}

function told({ architecture, version, protocol, files, configOffset }: BootImage) {
  return { architecture, version, isCurrent: protocol === PROTOCOL, files, hasDisk: configOffset !== undefined };
}
