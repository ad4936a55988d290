// What is seen in a pixel, in 128 bits: texture coordinates as they are, a normal of 2 x 10 bits on
// an octahedron, and the row of a material in the table of the moment, 12 bits.
vec2 turned_out(vec2 point) {
    return (1.0 - abs(point.yx)) * vec2(point.x < 0.0 ? -1.0 : 1.0, point.y < 0.0 ? -1.0 : 1.0);
}

uvec4 wrapped(vec3 texture_, vec3 normal, float material) {
    vec3 flat_ = normal / (abs(normal.x) + abs(normal.y) + abs(normal.z));
    vec2 point = flat_.z < 0.0 ? turned_out(flat_.xy) : flat_.xy;
    uvec2 steps = uvec2(point * 511.0 + 511.5);
    return uvec4(floatBitsToUint(texture_), uint(material) | steps.x << 12 | steps.y << 22);
}

int material_of(uvec4 seen) {
    return int(seen.w & 4095u);
}

vec3 normal_of(uvec4 seen) {
    vec2 point = vec2(uvec2(seen.w >> 12, seen.w >> 22) & 1023u) / 511.0 - 1.0;
    float up = 1.0 - abs(point.x) - abs(point.y);
    return normalize(vec3(up < 0.0 ? turned_out(point) : point, up));
}

vec4 bytes(uint word) {
    return vec4(uvec4(word, word >> 8, word >> 16, word >> 24) & 255u) / 255.0;
}
