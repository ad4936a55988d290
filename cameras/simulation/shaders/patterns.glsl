// The patterns of meshes.Pattern. Nothing branches: a processor would go both ways everywhere.
const int DOTS = 4, LOGO = 6, SKIN = 12;

// For each pattern: width and height of its cells in repeats, shares of them that bars take across
// and along; width of joints in metres, shift from row to row in cells, how much cells differ, how
// much of the second colour one bar alone gives; noise a metre across and along (negative: a
// repeat), its second octave; share of the second colour and how noise changes it, and the
// brightness, by its first and second octave.
const vec4 PATTERNS[52] = vec4[52](
    vec4(1, 1, 0, 0), vec4(0, 0, 0, 1), vec4(24, 24, 0.4, 0), vec4(0, 0, 0.10, 0.10),             // PLAIN
    vec4(1, 1, 0, 0.5), vec4(0, 0, 0, 1), vec4(24, 24, 0.4, 0), vec4(0, 0, 0.10, 0.10),           // BANDS
    vec4(1, 1, 0.5, 0), vec4(0, 0, 0, 1), vec4(24, 24, 0.4, 0), vec4(0, 0, 0.10, 0.10),           // STRIPES
    vec4(1, 1, 0.5, 0.5), vec4(0, 0, 0, 0.5), vec4(24, 24, 0.4, 0), vec4(0, 0, 0.10, 0.10),       // CHECKS
    vec4(1, 1, 0, 0), vec4(0, 0.5, 0, 1), vec4(24, 24, 0.4, 0), vec4(0, 0, 0.10, 0.10),           // DOTS
    vec4(1, 1, 0, 0), vec4(0, 0, 0, 1), vec4(-1.6, -1.6, 2.3, 0), vec4(0.42, 4.0, 0.0, 0.0),      // PRINT
    vec4(1, 1, 0, 0), vec4(0, 0, 0, 1), vec4(24, 24, 0.4, 0), vec4(0, 0, 0.10, 0.10),             // LOGO
    vec4(1, 1, 0, 0), vec4(0.006, 0, 0.10, 1), vec4(9, 9, 3.7, 0), vec4(0, 0, 0.08, 0.08),        // TILES
    vec4(9, 1, 0, 0), vec4(0.003, -1, 0.30, 1), vec4(2.5, 90, 0.2, 0), vec4(0, 0, 0.30, 0.25),    // PLANKS
    vec4(1, 0.32, 0, 0), vec4(0.011, 0.5, 0.40, 1), vec4(70, 70, 0.13, 0), vec4(0, 0, 0.3, 0.15), // BRICKS
    vec4(1, 1, 0, 0), vec4(0, 0, 0, 1), vec4(160, 160, 0.23, 0), vec4(0.35, 0.8, 0, 0.12),        // SPECKLE
    vec4(1, 1, 0, 0), vec4(0, 0, 0, 1), vec4(260, 14, 0.23, 0), vec4(0.4, 0.9, 0.6, 0.6),         // STRANDS
    vec4(1, 1, 0, 0), vec4(0, 0, 0, 1), vec4(18, 18, 2.1, 0), vec4(0.08, 0.14, 0, 0)              // SKIN
);

struct Surface {
    float second;  // share of the second colour, 0 to 1
    float shade;   // factor of both
    float height;  // metres: bends the normal
};

vec2 until(vec2 x, vec2 share) {
    vec2 whole = floor(x);
    return whole * share + min(x - whole, share);
}

// Share of a pixel `width` wide that lies on bars which take `share` of every unit: no moire.
vec2 bars(vec2 x, vec2 width, vec2 share) {
    width = max(width, 0.01);
    return (until(x + 0.5 * width, share) - until(x - 0.5 * width, share)) / width;
}

Surface patterned(int pattern, vec3 at, vec3 width, float scale, float seed) {
    vec4 cell = PATTERNS[4 * pattern], row = PATTERNS[4 * pattern + 1];
    vec4 grain = PATTERNS[4 * pattern + 2], tint = PATTERNS[4 * pattern + 3];
    bool is_logo = pattern == LOGO;

    vec2 size = is_logo ? vec2(0.025, 0.03) : cell.xy * scale;
    vec2 spread = width.xy / size;
    vec2 cells = (is_logo ? vec2(at.x, at.y - scale) : at.xy) / size + (is_logo ? 0.5 : seed * 7.0);
    float level = floor(cells.y);
    cells.x += row.y < 0.0 ? dice(ivec3(level, 7, 0)) : fract(level * row.y);
    float own = dice(ivec3(floor(cells.x), level, int(seed * 255.0)));
    float plain = kept(max(spread.x, spread.y));
    vec2 bar = bars(cells, spread, cell.zw + row.x / size);
    float second = row.w * (bar.x + bar.y) - (2.0 * row.w - 1.0) * bar.x * bar.y;
    float shade = 1.0 + row.z * (own - 0.5) * plain;
    float sunk = second * row.x * kept(max(width.x, width.y) / (4.0 * row.x + 1e-6));

    vec2 middle = fract(cells) - 0.5;
    float dotted = clamp(0.5 + (0.08 - dot(middle, middle)) / max(0.56 * spread.x, 0.01), 0.0, 1.0);
    second = pattern == DOTS ? mix(0.25, dotted, plain) : second;
    vec2 inside = clamp((vec2(0.1, 0.06) - abs(cells - 0.5) * size) / max(width.xy, 1e-4) + 0.5,
                        0.0, 1.0);
    float ink = inside.x * inside.y * mix(0.6, step(0.4, own), plain) * step(0.0, at.z);
    second = is_logo ? ink : second;

    vec3 often = grain.x < 0.0 ? -grain.xyx / scale : grain.xyx;
    vec3 place = at * often + seed * vec3(61.0, 47.0, 53.0);
    place.z += row.y < 0.0 ? level * 3.7 : 0.0;
    float wide = widest(width * often);
    float first = noise(place) * kept(wide);
    float other = noise(place * grain.z + 11.0) * kept(wide * grain.z);
    second = clamp(second + tint.x + tint.y * (first + 0.5 * other), 0.0, 1.0);
    shade *= 1.0 + tint.z * first + tint.w * other;
    return Surface(second, shade, 0.004 * tint.z * first - 0.25 * sunk);
}
