// What axe finds in a page.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** All that axe finds, in short. The page's policy takes no foreign script; the debugger does. */
export async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(await readFile(AXE, 'utf8'))
  const found = await page.evaluate(() => window.axe.run())
  return found.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} (${failureSummary})`).join('; ')}`,
  )
}
