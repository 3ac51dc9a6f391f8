/**
 * The guest's images in a recording.
 */
import type { Recording } from '../../replay-store/mod.ts'

/** Their names. The kernel is kept as it was given, compressed or not. */
export const KERNEL_IMAGE = 'kernel'
export const INITRD_IMAGE = 'initrd'

/** Those that there are, being read. */
export interface RecordedImages {
  kernel: (() => Promise<Uint8Array>) | undefined
  initrd: (() => Promise<Uint8Array>) | undefined
}

/** Has another thread read them. */
export function readImages(recording: Recording): RecordedImages {
  const read = (name: string) =>
    recording.manifest.images.some((image) => image.name === name) ? recording.readImageAside(name) : undefined
  return { kernel: read(KERNEL_IMAGE), initrd: read(INITRD_IMAGE) }
}

/** SHA-256 of the kernel's file; undefined where the machine was recorded without one. */
export function recordedKernelHash({ manifest }: Recording): string | undefined {
  return manifest.images.find(({ name }) => name === KERNEL_IMAGE)?.sha256
}
