import type { Reporter, TestModule } from 'vitest/node'

/**
 * Ends every run with its counts on a line of their own. A test that did not run counts as much as one that
 * failed: a whole run with a skipped test is not green.
 */
export const createCounts = (): Reporter => ({
  onTestRunEnd: (modules) => {
    const passed = countOf(modules, 'passed')
    const failed = countOf(modules, 'failed')
    const skipped = countOf(modules, 'skipped')
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
    // A person may pick some tests by name; the rest are skipped on purpose then.
    const isWhole = !process.argv.some((argument) => /^(-t|--testNamePattern)/.test(argument))
    if (isWhole && skipped > 0) process.exitCode = 1
  },
})

const countOf = (modules: readonly TestModule[], state: 'passed' | 'failed' | 'skipped'): number =>
  modules.reduce((sum, module) => sum + [...module.children.allTests(state)].length, 0)
