const vec3 LUMINANCE = vec3(0.2126, 0.7152, 0.0722);

// Light to sRGB, stored as blue, green, red and brightness. Within 0.02 of the sRGB of 1 - exp(-x (1 + x / 4)): a straight foot
// and a soft shoulder; no powers, which are slow on a processor.
vec4 develop(vec3 light) {
    vec3 root = min(sqrt(light * gain.rgb), 2.0);
    vec3 srgb = root * (1.0 + 0.424 * root) / (1.0 + root * root * 0.678);
    return vec4(srgb.bgr, dot(srgb, LUMINANCE));
}
