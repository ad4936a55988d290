#version 330
// What is seen, not yet how it looks: triangles are about as small as pixels, and on a processor
// each costs a block of pixels, so that shading has to come after.
#include "packing.glsl"

in vec4 texture_cut;
in vec3 normal;
flat in float material;

out uvec4 out_seen;

void main() {
    if (texture_cut.w > 0.0) discard;
    out_seen = wrapped(texture_cut.xyz, gl_FrontFacing ? normal : -normal, material + 0.5);
}
