/** Renders Markdown as the page does, by react-markdown without plugins: texts as JSON on stdin, HTML as JSON on stdout. */
import { text } from 'node:stream/consumers'

import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import Markdown from 'react-markdown'

const reports = JSON.parse(await text(process.stdin))
const render = (report) => renderToStaticMarkup(createElement(Markdown, null, report))
process.stdout.write(JSON.stringify(reports.map(render)))
