import { BOOT_CONFIG_PATH, type BootConfig, formatBootConfig } from './boot-config.ts';
import { writeCpio } from './cpio.ts';

/**
 * The configuration as a second archive for the kernel, which boot loaders take beside the image's own: what it holds lies
 * over what the first held. Only root may read it, so that tasks cannot. Always the same number of bytes.
 */
export function writeConfigArchive(config: BootConfig): Uint8Array {
  return writeCpio([{ name: BOOT_CONFIG_PATH, kind: 'file', bytes: formatBootConfig(config), permissions: 0o600 }]);
}
