/** What `GET /v1/boot` tells. */
export interface BootInfo {
  readonly images: readonly {
    readonly architecture: string;
    readonly version: string;
    readonly isCurrent: boolean;
    readonly hasDisk: boolean;
    readonly files: Readonly<Record<string, number>>;
  }[];
  readonly machines: readonly {
    readonly token: string;
    readonly name: string;
    readonly cards: readonly string[];
    readonly isShutOut: boolean;
    readonly worker?: string;
  }[];
  readonly netboot: boolean;
  readonly server: string;
}
