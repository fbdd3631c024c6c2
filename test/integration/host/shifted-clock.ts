// Loaded before a program: its clock is wrong by so many ms. Timers, which no clock drives, go on as they are.
const shiftMs = Number(process.env['TEST_CLOCK_SHIFT_MS'])
const trueNow = Date.now
const now = (): number => trueNow() + shiftMs

globalThis.Date = new Proxy(Date, {
  construct: (target, args: unknown[], shifted) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, shifted),
})
globalThis.Date.now = now
