/** The part of seek-bzip that is used; the package has no types of its own. */
declare module 'seek-bzip' {
  const bzip2: { decode(compressed: Uint8Array): Uint8Array }
  export default bzip2
}
