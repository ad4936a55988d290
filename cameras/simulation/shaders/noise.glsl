// Value noise from integer hashes: the same on every machine, and on a processor faster than
// looking it up.
uint scrambled(uint n) {
    n = (n ^ (n >> 15)) * 0x2c1b3c6du;
    n = (n ^ (n >> 12)) * 0x297a2d39u;
    return n >> 8;
}

uvec3 hashed(ivec3 cell) {
    return uvec3(cell) * uvec3(0x8da6b343u, 0xd8163841u, 0xcb1ab31fu);
}

// From 0 to 1.
float dice(ivec3 cell) {
    uvec3 key = hashed(cell);
    return float(scrambled(key.x ^ key.y ^ key.z)) / 16777216.0;
}

// From -0.5 to 0.5, smooth over about one unit.
float noise(vec3 point) {
    vec3 cell = floor(point), at = point - cell;
    at *= at * (3.0 - 2.0 * at);
    uvec3 low = hashed(ivec3(cell)), high = hashed(ivec3(cell) + 1);
    uvec4 sides = uvec4(low.x, high.x, low.x, high.x) ^ uvec4(low.yy, high.yy);
    uvec4 near = sides ^ low.z, far = sides ^ high.z;
    vec4 bottom = vec4(scrambled(near.x), scrambled(near.y), scrambled(near.z), scrambled(near.w));
    vec4 top = vec4(scrambled(far.x), scrambled(far.y), scrambled(far.z), scrambled(far.w));
    vec4 level = mix(bottom, top, at.z);
    vec2 row = mix(level.xz, level.yw, at.x);
    return mix(row.x, row.y, at.y) / 16777216.0 - 0.5;
}

// How much of a detail is left where a pixel covers `width` of its repeats.
float kept(float width) {
    return 1.0 - smoothstep(0.25, 0.8, width);
}

float widest(vec3 width) {
    return max(width.x, max(width.y, width.z));
}
