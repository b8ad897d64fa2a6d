/**
 * The names that an inline function may use without bringing them: what the language, Node and browsers put on the global
 * object. A fixed list, because the client's own global object may hold things that workers lack. Some exist in Node
 * only (`process`, `Buffer`) or in browsers only (`OffscreenCanvas`): tasks that use the first are not given to browsers, who uses the second picks the workers to match.
 * Not in it: `require`, `module`, `__dirname` and the like, which an ES module does not have.
 */
const language = `
  undefined NaN Infinity globalThis eval isFinite isNaN parseFloat parseInt decodeURI decodeURIComponent encodeURI
  encodeURIComponent escape unescape AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array
  BigUint64Array Boolean DataView Date DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array
  Float64Array Function Int16Array Int32Array Int8Array Intl Iterator JSON Map Math Number Object Promise Proxy RangeError
  ReferenceError Reflect RegExp Set SharedArrayBuffer String SuppressedError Symbol SyntaxError Temporal TypeError
  Uint16Array Uint32Array Uint8Array Uint8ClampedArray URIError WeakMap WeakRef WeakSet WebAssembly`;

const everywhere = `
  AbortController AbortSignal Blob BroadcastChannel ByteLengthQueuingStrategy CloseEvent CompressionStream
  CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DecompressionStream ErrorEvent Event EventSource
  EventTarget File FormData Headers MessageChannel MessageEvent MessagePort Navigator Performance PerformanceEntry
  PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming
  QuotaExceededError ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest
  ReadableStreamDefaultController ReadableStreamDefaultReader Request Response Storage SubtleCrypto TextDecoder
  TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern
  URLSearchParams WebSocket WritableStream WritableStreamDefaultController WritableStreamDefaultWriter atob btoa
  clearInterval clearTimeout console crypto fetch localStorage navigator performance queueMicrotask sessionStorage
  setInterval setTimeout structuredClone`;

const nodeOnly = 'Buffer clearImmediate global process setImmediate';

/** Of those, what browsers lack. */
export const nodeGlobals: ReadonlySet<string> = new Set(nodeOnly.split(' '));

const browserOnly = `
  ImageBitmap ImageData OffscreenCanvas OffscreenCanvasRenderingContext2D Path2D WebGL2RenderingContext
  WebGLRenderingContext GPU GPUBufferUsage GPUMapMode GPUShaderStage GPUTextureUsage VideoDecoder VideoEncoder VideoFrame
  AudioDecoder AudioEncoder AudioData ImageDecoder Worker XMLHttpRequest caches createImageBitmap indexedDB location self
  DOMMatrix DOMPoint DOMRect FileReader FileReaderSync importScripts postMessage reportError requestAnimationFrame
  cancelAnimationFrame`;

export const knownGlobals: ReadonlySet<string> = new Set(
  [language, everywhere, nodeOnly, browserOnly].flatMap((names) => names.trim().split(/\s+/)),
);
