/** A report as the page draws it: by react-markdown without plugins. */
import assert from 'node:assert/strict'
import test from 'node:test'

import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import Markdown from 'react-markdown'

import { invoke, open } from './project.mjs'

test('a report is drawn as headings, lists and links to its sources', async () => {
  const page = await open('owner')
  const { data } = await invoke(page, 'executive-run', { run_type: 'CODE_REVIEW', platform_key: 'nearvity' })

  const html = renderToStaticMarkup(createElement(Markdown, null, data.executive_summary))

  assert.match(html, /^<p>[^<]{100,}<\/p>\n<h2>Mesures du code<\/h2>/)
  assert.match(html, /<li>\[S\d+\] <a href="https:\/\/github\.com\/laeticiamng\/nearvity">GitHub · NEARVITY<\/a>, lu le /)
  assert.match(html, /<li>[^<]+ \[S\d+\]\.<\/li>/)
  assert.doesNotMatch(html, /<a [^>]*>\[?S\d|\|[^<]*\||&lt;|<(?!\/?(?:p|h[1-6]|ul|ol|li|a|strong|em|code|br|hr)\b)/)
})
