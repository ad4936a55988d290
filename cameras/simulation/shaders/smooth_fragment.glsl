#version 330
// Smooths the stairs of edges: mixes every pixel with those before and after it along the edge.
uniform sampler2D shaded;
uniform ivec4 inside;  // first and last pixel of the picture

out vec4 out_colour;

vec4 beside(ivec2 step) {
    return texelFetch(shaded, clamp(ivec2(gl_FragCoord.xy) + step, inside.xy, inside.zw), 0);
}

vec4 between(vec2 step) {
    vec2 at = clamp(gl_FragCoord.xy + step, vec2(inside.xy) + 0.5, vec2(inside.zw) + 0.5);
    return texture(shaded, at / vec2(textureSize(shaded, 0)));
}

void main() {
    vec4 here = beside(ivec2(0));
    vec4 near = vec4(beside(ivec2(1, 0)).a, beside(ivec2(-1, 0)).a,
                     beside(ivec2(0, 1)).a, beside(ivec2(0, -1)).a);
    vec2 along = vec2(near.w - near.z, near.x - near.y);
    along *= 1.5 / max(max(abs(along.x), abs(along.y)), 1e-3);
    vec4 both = between(along) + between(-along);
    float lowest = min(min(near.x, near.y), min(near.z, near.w));
    float highest = max(max(near.x, near.y), max(near.z, near.w));
    float edge = max(highest, here.a) - min(lowest, here.a);
    out_colour = mix(here, 0.34 * here + 0.33 * both, smoothstep(0.04, 0.16, edge));
}
