#version 330
#include "shot.glsl"
#include "packing.glsl"
#include "tone.glsl"
#include "noise.glsl"
#include "patterns.glsl"
#include "lighting.glsl"

uniform usampler2D seen_map;
uniform sampler2D depth_map;
uniform usampler2D materials;
uniform ivec4 inside;  // first and last pixel of the picture

layout(location = 0) out vec4 out_colour;
layout(location = 1) out uint out_owner;

vec3 sky_light(vec3 far) {
    float upward = normalize(far - eye.xyz).z;
    float town = sky.b / (sky.b + 0.1);  // by night the ground is lit more than the sky
    vec3 light = town * sky.rgb * mix(1.2, 0.95, smoothstep(0.0, 0.6, upward));
    return mix(light, ground.rgb, smoothstep(0.02, -0.15, upward));
}

// The normal of a surface raised by `height`, from the differences between neighbouring pixels
// (Mikkelsen 2010, "Bump mapping unparametrized surfaces on the GPU").
vec3 bent(vec3 straight, vec3 position, float height) {
    vec3 right = dFdx(position), up = dFdy(position);
    vec3 across_right = cross(up, straight), across_up = cross(straight, right);
    float area = dot(right, across_right);
    vec3 slope = sign(area) * (dFdx(height) * across_right + dFdy(height) * across_up);
    return normalize(abs(area) * straight - slope + 1e-12 * straight);
}

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy) - inside.xy, size = inside.zw - inside.xy + 1;
    ivec2 pixel = min(here, size - 1);  // beyond the last lie some that it is compared with
    vec2 corner = (vec2(here) + 0.5) * 2.0 / vec2(size) - 1.0;
    float depth = texelFetch(depth_map, pixel, 0).x;
    uvec4 seen = texelFetch(seen_map, pixel, 0);
    uvec4 material = texelFetch(materials, ivec2(0, material_of(seen)), 0);
    vec4 point = picture_to_world * vec4(corner, 2.0 * depth - 1.0, 1.0);
    vec3 position = point.xyz / point.w;
    vec3 at = uintBitsToFloat(seen.xyz), width = fwidth(at), straight = normal_of(seen);

    vec4 ground_colour = bytes(material.x), second_colour = bytes(material.y);
    vec4 finish = bytes(material.z);
    float seed = finish.x, wear = finish.y, gloss = finish.z, folds = finish.w;
    int pattern = int(material.x >> 24);
    Surface surface = patterned(pattern, at, width, float(material.w >> 16) * 1e-4, seed);

    vec3 moved = at + seed * vec3(31.0, 17.0, 23.0);
    vec3 often = folds > 0.0 ? vec3(14.0, 9.0, 14.0) : vec3(3.3);
    float crease = noise(moved * often) * kept(widest(width * often));
    float patchy = noise(moved * (folds > 0.0 ? 6.0 : 0.9));
    float stained = wear * smoothstep(0.05, 0.25, folds > 0.0 ? patchy : crease);

    vec3 first = ground_colour.rgb * ground_colour.rgb;
    vec3 second = second_colour.rgb * second_colour.rgb;
    vec3 colour = mix(first, second, surface.second) * surface.shade;
    float grey = dot(colour, LUMINANCE);
    colour = mix(colour, vec3(grey * 1.15 + 0.02), wear * (0.25 + 0.5 * patchy));
    colour *= (1.0 + 0.6 * folds * crease) * (1.0 - 0.2 * stained) * (1.0 + 0.2 * wear * patchy);
    vec3 outward = bent(straight, position, surface.height + 0.075 * folds * crease);

#ifdef INFRARED
    float told = grey / max(dot(first, LUMINANCE), 0.001);
    vec3 light = lit_by_camera(vec3(second_colour.w * clamp(mix(1.0, told, 0.35), 0.4, 1.6)),
                               position, outward);
    vec3 beyond = vec3(0.002);
#else
    float soft = pattern == SKIN ? 0.25 : 0.0;  // light leaves skin beside where it went in
    vec3 light = lit(colour, position, straight, outward, gloss, soft);
    vec3 beyond = sky_light(position);
#endif
    out_colour = develop(depth < 1.0 ? light : beyond);
    out_owner = depth < 1.0 ? material.w & 65535u : 0u;
}
