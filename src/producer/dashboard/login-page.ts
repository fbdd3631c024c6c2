import type { FastifyReply } from 'fastify'

// No script, nothing from elsewhere, and no other page may show it in a frame.
const CSP =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

/** Asks for the token. `complaint` is one of ours, never what somebody sent. */
export async function sendLoginPage(reply: FastifyReply, complaint = ''): Promise<FastifyReply> {
  return reply
    .headers({ 'content-security-policy': CSP, 'cache-control': 'no-store' })
    .type('text/html; charset=utf-8')
    .send(page(complaint))
}

const page = (complaint: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stevedore: log in</title>
<style>
  :root { color-scheme: light dark; font-family: system-ui, sans-serif }
  body { display: grid; place-items: center; min-height: 90vh; margin: 0 1rem }
  form { display: grid; gap: .75rem; width: min(24rem, 100%) }
  input, button { font: inherit; padding: .5rem .75rem }
  .complaint { color: #c62828; margin: 0 }
  small { opacity: .75 }
</style>
<form method="post" action="/dashboard/login">
  <h1>Stevedore</h1>
  ${complaint === '' ? '' : `<p class="complaint" role="alert">${complaint}</p>`}
  <label for="token">API token</label>
  <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
  <button>Log in</button>
  <small>It is in the file <code>token</code> of the data directory.</small>
</form>
</html>
`
