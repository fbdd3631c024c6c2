// Loaded before a program: on SIGUSR2 its event loop stands still for so many ms, as under a very long computation.
const forMs = Number(process.env['TEST_DEAF_MS'])

process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs)
})
