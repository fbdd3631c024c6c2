/** Uploads by the same requests as the service, one after the other, and remembers nothing. */
export interface BareClient extends AsyncDisposable {
  readonly upload: (path: string) => Promise<void>
}
