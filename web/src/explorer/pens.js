// Two ways to draw the same picture: on a canvas, and as the text of an SVG file.

const round = (x) => Math.round(x * 100) / 100;

/** Draws on a canvas; what is drawn in lines of one style goes out in one call. */
export class CanvasPen {
  constructor(context, palette) {
    this.context = context;
    this.palette = palette;
  }

  rect(x, y, w, h, radius, style) {
    const { context } = this;
    context.beginPath();
    if (radius) context.roundRect(x, y, w, h, radius);
    else context.rect(x, y, w, h);
    this._paint(style);
  }

  /** Curves along the points of each way, all in one style. */
  curves(ways, style) {
    const { context } = this;
    context.beginPath();
    for (const way of ways) {
      context.moveTo(way[0][0], way[0][1]);
      for (let k = 1; k < way.length; k++) {
        const [[ax, ay], [bx, by]] = [way[k - 1], way[k]];
        if (ay === by || style.straight) context.lineTo(bx, by);
        else context.bezierCurveTo((ax + bx) / 2, ay, (ax + bx) / 2, by, bx, by);
      }
    }
    this._paint(style);
  }

  /** The same as filled shapes with straight sides. */
  shapes(shapes, style) {
    const { context } = this;
    context.beginPath();
    for (const points of shapes) {
      points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.closePath();
    }
    this._paint(style);
  }

  text(text, x, y, { size = 13, weight = 400, mono = false, align = "left", fill }) {
    const { context } = this;
    const font = `${weight} ${size}px ${mono ? this.palette.mono : this.palette.sans}`;
    if (this._font !== font) context.font = this._font = font;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.fillStyle = fill;
    context.fillText(text, x, y);
  }

  _paint({ fill, stroke, width = 1, dash }) {
    const { context } = this;
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.setLineDash(dash ?? []);
      context.stroke();
    }
  }
}

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Collects the elements of an SVG; only attributes, so that it can be shown under any security policy. */
export class SvgPen {
  constructor(palette) {
    this.palette = palette;
    this.parts = [];
  }

  rect(x, y, w, h, radius, style) {
    this.parts.push(`<rect x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}" rx="${radius}"${paint(style)}/>`);
  }

  curves(ways, style) {
    const path = ways.map((way) => way.map(([x, y], k) => {
      if (!k) return `M${round(x)} ${round(y)}`;
      const [ax, ay] = way[k - 1];
      if (ay === y) return `H${round(x)}`;
      const middle = round((ax + x) / 2);
      return `C${middle} ${round(ay)} ${middle} ${round(y)} ${round(x)} ${round(y)}`;
    }).join(""));
    if (path.length) this.parts.push(`<path d="${path.join("")}"${paint({ fill: "none", ...style })}/>`);
  }

  shapes(shapes, style) {
    const path = shapes.map((points) => `M${points.map((point) => point.map(round).join(" ")).join("L")}Z`);
    if (path.length) this.parts.push(`<path d="${path.join("")}"${paint(style)}/>`);
  }

  text(text, x, y, { size = 13, weight = 400, mono = false, align = "left", fill }) {
    const anchor = { left: "start", center: "middle", right: "end" }[align];
    const font = escaped(mono ? this.palette.mono : this.palette.sans);
    this.parts.push(
      `<text x="${round(x)}" y="${round(y)}" font-family="${font}" font-size="${size}" font-weight="${weight}"` +
        ` text-anchor="${anchor}" dominant-baseline="central" fill="${fill}">${escaped(text)}</text>`,
    );
  }

  /** The picture as an SVG file that shows this part of the scene. */
  file({ left, top, right, bottom }, title) {
    const [w, h] = [round(right - left), round(bottom - top)];
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${round(left)} ${round(top)} ${w} ${h}" width="${w}" height="${h}" role="img">` +
      `<title>${escaped(title)}</title><rect x="${round(left)}" y="${round(top)}" width="${w}" height="${h}" fill="${this.palette.paper}"/>` +
      `${this.parts.join("")}</svg>`
    );
  }
}

function paint({ fill, stroke, width = 1, dash }) {
  const line = stroke ? ` stroke="${stroke}" stroke-width="${width}"` : "";
  return ` fill="${fill ?? "none"}"${line}${dash ? ` stroke-dasharray="${dash.join(" ")}"` : ""}`;
}
